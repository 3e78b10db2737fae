"""What the engine costs for each line: ``python engine_cost.py FLOW LINES AT_ONCE [PROFILE_FILE]``.

Runs the lines as a worker process does, results encoded as they are stored, and nothing around it: no reading of data,
no hand-over between processes. Prints one JSON object with the CPU seconds of this process for each line. Lines that
wait for a model run at once; AT_ONCE of 0 runs them one after the other in the calling thread.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm import CallRules, Connections, EnvironmentSource, ProviderOpener
from flowyard.records import LineTask
from flowyard.sessions.line_worker import LineWorker
from flowyard.sessions.session import Place


async def run_lines(worker: LineWorker, lines: int, at_once: int) -> None:
    """All lines, at most ``at_once`` at a time."""
    name = next(iter(worker.runner.flow.inputs))
    tasks = iter([LineTask(number, {name: f"Goal number {number}  in the LAST minute"}) for number in range(lines)])
    if not at_once:
        for task in tasks:
            require(worker.run_here(task).status)
        return

    async def work() -> None:
        for task in tasks:
            require((await worker.run(task)).status)

    await asyncio.gather(*(work() for _ in range(at_once)))


def require(status: str) -> None:
    if status != "completed":
        sys.exit(f"A line is {status}.")


async def measure(flow: Path, lines: int, at_once: int, profile: Path | None) -> float:
    connections = Connections([EnvironmentSource(os.environ)])
    runner = await prepare(load_flow(flow), connections, ProviderOpener(CallRules()))
    try:
        with tempfile.TemporaryDirectory() as folder:
            worker = LineWorker(runner, Place(Path(folder)))
            await run_lines(worker, max(lines // 10, 1), at_once)
            profiler = cProfile.Profile()
            started = time.process_time()
            if profile:
                profiler.enable()
            await run_lines(worker, lines, at_once)
            profiler.disable()
            spent = time.process_time() - started
            if profile:
                write_profile(profiler, profile, lines)
            return spent / lines
    finally:
        await runner.close()


def write_profile(profiler: cProfile.Profile, file: Path, lines: int) -> None:
    """The functions that take the most, in microseconds for each line (more than without the profiler)."""
    found = pstats.Stats(profiler).get_stats_profile().func_profiles
    top = sorted(found.items(), key=lambda each: -each[1].tottime)[:15]
    rows = [
        f"| `{name}` ({Path(each.file_name).name}) | {each.ncalls} | {each.tottime / lines * 1e6:.1f} "
        f"| {each.cumtime / lines * 1e6:.1f} |"
        for name, each in top
    ]
    head = ["| function | calls | own µs a line | with what it calls |", "|---|---|---|---|"]
    file.write_text("\n".join([*head, *rows]) + "\n", "utf-8")


if __name__ == "__main__":
    flow, lines, at_once = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    profile = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    sys.stdout.write(json.dumps({"cpu_s_per_line": asyncio.run(measure(flow, lines, at_once, profile))}) + "\n")
