from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowyard.abc import Provider
from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm.connection import AzureOpenAIConnection, CustomConnection, OpenAIConnection
from flowyard.llm.connections import Connections
from flowyard.llm.sources import DeclaredSource
from flowyard.records import LineResult, LineTask, ModelReply, ModelRequest, Usage

RunLine = Callable[..., Awaitable[LineResult]]


class Listener(Provider):
    """A model that keeps what it was asked and answers ``ok``."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def call(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        body = {"choices": [{"message": {"role": "assistant", "content": "ok"}}]}
        return ModelReply(body, Usage(1, 10, 2))

    def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


@pytest.fixture
def model() -> Listener:
    return Listener()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``flow.dag.yaml`` and other files (``a__py`` is ``a.py``) and returns their folder."""

    def write(flow: str, **files: str) -> Path:
        for name, text in {"flow__dag__yaml": flow, **files}.items():
            (tmp_path / name.replace("__", ".")).write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return tmp_path

    return write


@pytest.fixture
def run_line(model: Listener) -> RunLine:
    """Runs one line of the flow in a folder; three connections are declared."""

    async def run_line(folder: Path, **inputs: Any) -> LineResult:
        declared = [
            OpenAIConnection(api_key="sk-secret-of-open-ai", name="open_ai"),
            AzureOpenAIConnection(api_key="k", api_base="https://a.example", name="azure"),
            CustomConnection({"token": "t0p-secret-token"}, {"url": "u"}, name="custom"),
        ]
        runner = await prepare(load_flow(folder), Connections([DeclaredSource(declared)]), lambda _: model)
        try:
            return await runner.run_line(LineTask(0, inputs))
        finally:
            await runner.close()

    return run_line
