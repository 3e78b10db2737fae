"""Flows in the process of a test, line by line, without sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowyard.engine import LineRunner, prepare
from flowyard.flows.load import load_flow
from flowyard.llm.connections import Connections
from flowyard.records import LineResult, LineTask

__all__ = ["no_provider", "opened", "output", "outputs_of", "run_flow"]


def no_provider(connection: Any) -> Any:
    raise AssertionError("these flows call no model")


async def opened(folder: Path) -> LineRunner:
    return await prepare(load_flow(folder), Connections([]), no_provider)


async def outputs_of(runner: LineRunner, values: Iterable[Any]) -> list[Any]:
    """The output ``out`` of each line, all lines at once."""
    lines = await asyncio.gather(*(runner.run_line(LineTask(n, {"x": value})) for n, value in enumerate(values)))
    return [output(line) for line in lines]


def output(line: LineResult) -> Any:
    assert line.error is None, line.error
    return line.outputs["out"]


async def run_flow(folder: Path, value: Any) -> Any:
    runner = await opened(folder)
    try:
        return (await outputs_of(runner, [value]))[0]
    finally:
        await runner.close()
