"""What happens to one line in the process that runs it: it is run, encoded, and what aggregation reads is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from flowyard.engine import LineRunner
from flowyard.engine.modules import code_of
from flowyard.records import AggregationResult, LineResult, LineTask
from flowyard.sessions.encoding import LineEncoder, line_from_json
from flowyard.sessions.kept_values import pickled, unpickled
from flowyard.sessions.session import FinishedLine, Place

__all__ = ["LineWorker"]

_CHUNK = 1000


class LineWorker:
    """One prepared flow and the place of its results. Safe to use from several threads."""

    def __init__(self, runner: LineRunner, place: Place) -> None:
        self.runner = runner
        self._place = place
        self._encoder = LineEncoder(place.media, runner.secrets, runner.flow.message_format)
        self._collector = runner.aggregation_inputs()
        self._kept: list[tuple[int, Any]] = []
        runner.begin_run()

    async def run(self, task: LineTask) -> FinishedLine:
        """Run a line on the running event loop."""
        return self.finished(await self.runner.run_line(self._placed(task)))

    def run_here(self, task: LineTask) -> FinishedLine:
        """Run a line in the calling thread of a flow that runs plainly."""
        return self.finished(self.runner.run_line_here(self._placed(task)))

    def _placed(self, task: LineTask) -> LineTask:
        place = self._place
        if task.folder or (place.data_folder is None and not place.from_network):
            return task
        return LineTask(task.line_number, task.inputs, task.error, place.data_folder, place.from_network)

    def finished(self, result: LineResult) -> FinishedLine:
        """The line as it is told and stored."""
        line = self._encoder.finished(result)
        if self._collector.is_needed and line.status == "completed":
            self._kept.append((result.line_number, self._collector.pick(result)))
        return line

    @property
    def held(self) -> frozenset[int]:
        """The numbers of the lines of which something is kept here."""
        return frozenset(number for number, _ in self._kept)

    def hand_over(self) -> Iterable[bytes]:
        """What is kept here, in pieces for the ``aggregate`` of another process."""
        kept, self._kept = self._kept, []
        for start in range(0, len(kept), _CHUNK):
            with code_of(self.runner.flow.folder):
                yield pickled(kept[start : start + _CHUNK])

    async def aggregate(self, others: Sequence[bytes], stored: Iterable[bytes]) -> AggregationResult:
        """Aggregate what is kept here, what others handed over, and lines in their stored form."""
        collector = self.runner.aggregation_inputs()
        for number, picked in self._kept:
            collector.add(number, picked)
        for piece in others:
            with code_of(self.runner.flow.folder):  # values may be of classes that the flow defines
                kept = unpickled(piece)
            for number, picked in kept:
                collector.add(number, picked)
        for raw in stored:
            line = line_from_json(json.loads(raw))
            collector.add(line.line_number, collector.pick(line))
        return await self.runner.run_aggregation(collector)
