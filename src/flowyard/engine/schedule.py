"""Running the nodes of a graph: each as soon as all it reads is done, independent ones at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from flowyard.engine.step import Step
from flowyard.records import NodeResult

__all__ = ["run_graph"]

Run = Callable[[Step, Mapping[str, NodeResult]], Awaitable[NodeResult]]


async def run_graph(steps: Sequence[Step], run: Run, *, stop_at_failure: bool = True) -> dict[str, NodeResult]:
    """Run all steps and return their results in the order of ``steps``.

    ``run`` gets a step and the results so far, and never raises for a failing node. At the first failure nothing new
    is started, what runs is canceled, and every node that did not finish is ``canceled``; with ``stop_at_failure`` off
    only the nodes that need the failed one are.
    """
    done: dict[str, NodeResult] = {}
    waiting = list(steps)
    inside = {step.node.name for step in steps}
    running: dict[asyncio.Task[NodeResult], Step] = {}
    failed = False
    try:
        while not failed:
            ready = [step for step in waiting if _is_ready(step, done, inside)]
            waiting = [step for step in waiting if step not in ready]
            if len(ready) == 1 and not running:  # a chain needs no task of its own
                finished = [await run(ready[0], done)]
            else:
                running |= {asyncio.ensure_future(run(step, done)): step for step in ready}
                if not running:
                    break
                ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                finished = [task.result() for task in ended]
                running = {task: step for task, step in running.items() if task not in ended}
            for result in finished:
                done[result.node] = result
                failed = failed or (stop_at_failure and result.status == "failed")
    finally:
        for task in running:
            task.cancel()
    return {step.node.name: done.get(step.node.name, NodeResult(step.node.name, "canceled")) for step in steps}


def _is_ready(step: Step, done: Mapping[str, NodeResult], inside: set[str]) -> bool:
    return all(
        name in done and done[name].status in ("completed", "bypassed") for name in step.node.reads() if name in inside
    )
