"""Running lines at once, with back-pressure: a line is read only when there is room to run it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from flowyard.engine.runner import LineRunner
from flowyard.records import LineResult, LineTask

__all__ = ["run_lines"]


async def run_lines(
    runner: LineRunner, tasks: Iterator[LineTask], on_line: Callable[[LineResult], None], *, concurrency: int
) -> None:
    """Run every line, at most ``concurrency`` at once; ``on_line`` gets each result as it comes, in no fixed order."""

    async def work() -> None:
        for task in tasks:  # one iterator shared by all workers: whoever is free takes the next line
            on_line(await runner.run_line(task))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as group_error:  # workers fail for one reason, which is what should be said
        raise group_error.exceptions[0] from None
