"""Running the nodes of a graph: each as soon as all it reads is done, independent ones at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

from flowyard.engine.step import Step
from flowyard.records import NodeResult

__all__ = ["Plan"]

Run = Callable[[Step, Mapping[str, NodeResult]], Awaitable[NodeResult]]

_ENDED = ("completed", "bypassed")


class Plan:
    """The nodes of a graph, with what each of them waits for; made once for all lines.

    ``is_chain`` says that each node reads the one before it, so that no two can ever run at once.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        inside = {step.node.name for step in steps}
        self._needs = {step.node.name: frozenset(step.node.reads() & inside) for step in steps}
        self.is_chain = all(
            before.node.name in self._needs[step.node.name] for before, step in itertools.pairwise(self.steps)
        )

    async def run(self, run: Run, *, stop_at_failure: bool = True) -> dict[str, NodeResult]:
        """Run all steps and return their results in the order of the steps.

        ``run`` gets a step and the results so far, and never raises for a failing node. At the first failure nothing
        new is started, what runs is canceled, and every node that did not finish is ``canceled``; with
        ``stop_at_failure`` off only the nodes that need the failed one are.
        """
        if self.is_chain:
            return await self._run_chain(run)
        done: dict[str, NodeResult] = {}
        waiting = list(self.steps)
        running: dict[asyncio.Task[NodeResult], Step] = {}
        failed = False
        try:
            while not failed:
                ready = [step for step in waiting if self._is_ready(step, done)]
                waiting = [step for step in waiting if step not in ready]
                if len(ready) == 1 and not running:  # alone, it needs no task of its own
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
        return self._all(done)

    async def _run_chain(self, run: Run) -> dict[str, NodeResult]:
        done: dict[str, NodeResult] = {}
        for step in self.steps:
            result = done[step.node.name] = await run(step, done)
            if result.status == "failed":  # all that follows reads it
                return self._all(done)
        return done

    def _all(self, done: Mapping[str, NodeResult]) -> dict[str, NodeResult]:
        names = [step.node.name for step in self.steps]
        return {name: done.get(name, NodeResult(name, "canceled")) for name in names}

    def _is_ready(self, step: Step, done: Mapping[str, NodeResult]) -> bool:
        return all(name in done and done[name].status in _ENDED for name in self._needs[step.node.name])
