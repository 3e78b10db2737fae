"""A flow that is served, and requests to it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from functional_helper import ASK_TEMPLATE, RULES, Project, ending, start_flowyard, wait_for_text

__all__ = ["ASKED", "CHAT", "SSE", "STREAM", "Answer", "Asking", "chat_flow", "connection", "events", "serving"]

STREAM = """\
import asyncio
from pathlib import Path
from promptflow.core import tool


@tool
async def work(x: str):
    return pieces(x)


async def pieces(x):
    try:
        yield "one"
        while not Path("open").exists():
            await asyncio.sleep(0.01)
        yield "two"
    finally:
        Path(f"{x}.ended").write_text("yes")
"""
"""A tool that streams one piece, and the other once there is a file ``open``; it says when the stream has ended."""


CHAT = """\
inputs:
  question: {type: string, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true, default: []}
  tone: {type: string, default: plain}
outputs:
  answer: {type: string, reference: "${ask.output}", is_chat_output: true}
  seen: {type: list, reference: "${inputs.chat_history}"}
  tone: {type: string, reference: "${inputs.tone}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {model: small, deployment_name: small, question: "${inputs.question}"}
  connection: my_model
  api: chat
"""
ASKED = "What is the capital of Latvia?"
"""A question to ``chat_flow``, which answers about the capital."""
SSE = {"Accept": "text/event-stream"}


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Asking:
    """Sends one request to a path of the server at ``url``."""

    url: str
    process: subprocess.Popen[str]

    def __call__(self, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=data, headers=names)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())


@contextmanager
def serving(project: Project, flow: str, *more: str, env: dict[str, str] | None = None) -> Iterator[Asking]:
    """A running server, which ends well when it is told to."""
    ready = project.root / f"{flow}.ready"
    ready.unlink(missing_ok=True)
    words = ["flow", "serve", "--source", flow, "--port", "0", "--ready-file", ready, "--home", project.home, *more]
    with ending(start_flowyard(*words, cwd=project.root, env=env)) as process:
        yield Asking(wait_for_text(ready), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def events(text: str) -> list[Any]:
    return [json.loads(part.removeprefix("data: ")) for part in text.split("\n\n") if part.startswith("data: ")]


def chat_flow(project: Project) -> str:
    project.write("rules.yaml", RULES)
    return project.flow("talk", CHAT, ask_jinja2=ASK_TEMPLATE)


def connection(ask: Asking) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(ask.url).netloc, timeout=60)
