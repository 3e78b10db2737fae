"""Running lines for requests: plain code in one thread from beginning to end, all else on the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from flowyard.engine.runner import LineRunner
from flowyard.engine.stream import TextStream
from flowyard.llm.call_log import call_log
from flowyard.records import LineResult, LineTask
from flowyard.serving.admission import Admission
from flowyard.wire import Refusal

__all__ = ["ServedLines"]

_Ended = tuple[asyncio.Future[LineResult], LineResult | None, BaseException | None]


class ServedLines:
    """Runs the lines of one server; each counts as under way until it has really ended."""

    def __init__(self, runner: LineRunner, admission: Admission, line_s: float) -> None:
        self.runner = runner
        self._admission = admission
        self._line_s = line_s
        self._is_plain = runner.runs_plainly
        self._ended: deque[_Ended] = deque()
        self._is_told = False

    async def run(self, inputs: Mapping[str, Any], *, stream: bool) -> LineResult:
        """One line, admitted already. Raises Refusal for one that takes too long.

        A line with streams is under way until ``stream_ended`` says otherwise.
        """
        task = LineTask(0, inputs, from_network=True)
        if self._is_plain and not stream:
            return await self._in_thread(task)
        streams = False
        try:
            async with asyncio.timeout(self._line_s):
                line = await self.runner.run_line(task, stream=stream)
            streams = any(isinstance(value, TextStream) for value in line.outputs.values())
            return line
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            if not streams:
                self._admission.leave()

    def stream_ended(self) -> None:
        """The streams of one line have been read, or will not be."""
        self._admission.leave()

    async def _in_thread(self, task: LineTask) -> LineResult:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[LineResult] = loop.create_future()
        calls = call_log.get()

        def work() -> None:
            line, failure = None, None
            call_log.set(calls)  # the thread's own: each line sets it anew
            try:
                line = self.runner.run_line_here(task)
            except BaseException as error:
                failure = error
            self._ended.append((future, line, failure))
            if not self._is_told:  # many lines end while the loop has something else to do: it is told once
                self._is_told = True
                loop.call_soon_threadsafe(self._deliver)

        self.runner.line_threads.submit(work)
        timer = loop.call_later(self._line_s, self._give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    def _deliver(self) -> None:
        self._is_told = False
        while self._ended:
            future, line, failure = self._ended.popleft()
            self._admission.leave()
            if future.done():
                continue
            if failure is not None:
                future.set_exception(failure)
            elif line is not None:
                future.set_result(line)

    def _give_up(self, future: asyncio.Future[LineResult]) -> None:
        if not future.done():
            future.set_exception(self._too_slow())

    def _too_slow(self) -> Refusal:
        return Refusal(408, f"The flow did not answer within {self._line_s:g} s.")
