"""Programs with the official openai package use a served chat flow as a model."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, clean_environment
from places import ROOT
from serve_helper import ASKED, chat_flow, serving

SDKS = ROOT / ".sdks"

pytestmark = [
    pytest.mark.sdks,
    pytest.mark.skipif(
        not (SDKS / ".installed").is_file(),
        reason="the openai versions are not installed; run scripts/openai_sdks.sh once",
    ),
]

PROGRAM = """\
import asyncio, json, sys
import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="s3cret", max_retries=0)
asked = [{"role": "user", "content": sys.argv[2]}]
whole = client.chat.completions.create(model="talk", messages=asked)
stream = client.chat.completions.create(
    model="talk", messages=asked, stream=True, stream_options={"include_usage": True}
)
chunks = list(stream)
picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + sys.argv[3]}}
pictured = [{"role": "user", "content": [{"type": "text", "text": sys.argv[2]}, picture]}]
seen = client.chat.completions.create(model="talk", messages=pictured) if sys.argv[4] == "pictures" else whole


async def asynchronously():
    async with openai.AsyncOpenAI(base_url=sys.argv[1] + "/v1", api_key="s3cret", max_retries=0) as other:
        stream = await other.chat.completions.create(model="talk", messages=asked, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


failures = []
for key, messages in (("wrong", asked), ("s3cret", []), *([] if sys.argv[4] == "pictures" else [("s3cret", pictured)])):
    try:
        client.with_options(api_key=key).chat.completions.create(model="talk", messages=messages)
    except openai.APIStatusError as error:
        failures.append(type(error).__name__)
        assert isinstance(error.body, dict) and error.body["message"], error.body
        assert error.request_id, "people find the request by it"
print(json.dumps({
    "models": [model.id for model in client.models.list()],
    "whole": whole.choices[0].message.content,
    "tokens": whole.usage.total_tokens,
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
    "streamed_tokens": chunks[-1].usage.total_tokens,
    "failures": failures,
    "seen": seen.choices[0].message.content,
    "asynchronous": asyncio.run(asynchronously()),
    "finish": whole.choices[0].finish_reason,
}))
"""


PICTURES = """\
inputs:
  question: {type: list, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true, default: []}
outputs:
  answer: {type: string, reference: "${look.output}", is_chat_output: true}
nodes:
- name: look
  type: python
  source: {type: code, path: look.py}
  inputs: {question: "${inputs.question}"}
"""
LOOK = """\
from promptflow.contracts.multimedia import Image
from promptflow.core import tool


@tool
def look(question: list):
    return " ".join(f"{len(part)} bytes" if isinstance(part, Image) else str(part) for part in question)
"""


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_the_openai_package_sends_pictures_to_a_flow(project: Project, version: str):
    program = project.root / "program.py"
    program.write_text(PROGRAM.replace('"tokens": whole.usage.total_tokens', '"tokens": 0'), "utf-8")
    flow = project.flow("talk", PICTURES, look_py=LOOK)
    with serving(project, flow, env={"FLOWYARD_SERVE_KEY": "s3cret"}) as ask:
        said = spoken(version, program, ask.url, "pictures")
    assert said["seen"] == f"{ASKED} {len(base64.b64decode(PIXEL))} bytes"
    assert said["failures"] == ["AuthenticationError", "BadRequestError"]


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def spoken(version: str, program: Path, url: str, mode: str) -> dict[str, Any]:
    words = [SDKS / version / "bin" / "python", program, url, ASKED, PIXEL, mode]
    done = subprocess.run(words, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_the_openai_package_talks_to_a_flow(project: Project, version: str):
    program = project.root / "program.py"
    program.write_text(PROGRAM, "utf-8")
    env = {"FLOWYARD_SERVE_KEY": "s3cret"}
    with serving(project, chat_flow(project), "--simulate", "rules.yaml", env=env) as ask:
        said = spoken(version, program, ask.url, "texts")
    assert said["tokens"] == said["streamed_tokens"] > 0
    assert said["whole"] == said["streamed"] == "The capital."
    assert said["models"] == ["talk"]
    assert (said["asynchronous"], said["finish"]) == ("The capital.", "stop")
    assert said["failures"] == ["AuthenticationError", "BadRequestError", "BadRequestError"]
