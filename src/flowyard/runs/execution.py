"""The lines of one run under way: told to the store and to whoever watches, and its record closed at the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Protocol

from flowyard.abc import Hold, Store
from flowyard.errors import NotFound, StoreError
from flowyard.records import LineCounts, RunRecord, RunStatus, Usage
from flowyard.runs.budget import Budget
from flowyard.runs.mapping import LinePlan
from flowyard.runs.results import LinePlaces, ResultWriter, read_heads, stored_lines, write_outputs
from flowyard.sessions.session import Concurrency, FinishedLine, Place, Session

__all__ = ["Execution", "Progress"]

_LOOK_EVERY_S = 2.0


class Progress(Protocol):
    """Is told how a run goes; what it shows is its own affair."""

    def start(self, run: RunRecord, total: int) -> None:
        """The run begins."""

    def line(self, line: FinishedLine) -> None:
        """A line ended."""

    def end(self, run: RunRecord) -> None:
        """The run ended, however it did."""


class Execution:
    """Carries out one run that this process holds."""

    def __init__(
        self, session: Session, run: RunRecord, store: Store, progress: Progress, hold: Hold, budget: Budget
    ) -> None:
        self._session = session
        self.run = run
        self._store = store
        self._progress = progress
        self._hold = hold
        self._budget = budget
        self._completed = self._failed = 0
        self._usage = Usage()
        self._started = time.perf_counter()
        self._earlier_s = run.duration_s
        self._looked_s = time.monotonic()
        self._writer: ResultWriter | None = None

    async def go(
        self,
        plan: LinePlan,
        concurrency: Concurrency,
        *,
        taken_over: Iterable[FinishedLine] = (),
        done: LinePlaces | None = None,
    ) -> RunRecord:
        """Run the lines and aggregate; returns the stored record.

        Lines that are ``taken_over`` from another run are stored as this run's. Those that are ``done`` were stored by
        an earlier process of this same run. When canceled, the record says so and the cancellation goes on.
        """
        self._progress.start(self.run, self.run.lines.total)
        try:
            with ResultWriter(self.run.lines_path) as writer:
                self._writer = writer
                numbers = done or LinePlaces()
                for line in taken_over:
                    numbers.put(line.line_number, 0)
                    self._store_lines((line,))
                left = (task for task in plan.tasks if task.line_number not in numbers) if numbers else plan.tasks
                left = takewhile(lambda _: not self._budget.is_over, left)
                place = Place(self.run.path / "media", plan.folder, plan.from_network)
                await self._session.run_lines(left, self._lines_ended, place=place, concurrency=concurrency)
            if self._budget.is_over and self._completed + self._failed < self.run.lines.total:
                return self._close(status="canceled")
            return await self._aggregate()
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._stop("canceled")
            raise
        except OSError as error:
            self._stop("failed")
            raise StoreError(
                f"Cannot write the results of run {self.run.name!r}: {error.strerror or error}.",
                hint=f"What was written is kept. When there is room, go on with: flowyard run resume {self.run.name}",
            ) from error
        except BaseException:
            self._stop("failed")
            raise

    def count_done(self, line: FinishedLine) -> None:
        """Count a line that an earlier process of this run stored."""
        self._count(line)

    async def _aggregate(self) -> RunRecord:
        aggregation = await self._session.run_aggregation(self._stored)
        unclaimed, warnings = await self._session.last_words()
        self._usage += aggregation.usage + unclaimed
        self._budget.spent(aggregation.usage + unclaimed)
        said = dict.fromkeys([*self.run.warnings, *aggregation.warnings, *warnings])
        self.run = replace(self.run, warnings=tuple(said))
        return self._close(status="completed", metrics=aggregation.metrics, errors=aggregation.errors)

    def _stored(self, held: frozenset[int]) -> Iterator[bytes]:
        """Completed lines that the session does not hold; the file is not read when it holds all."""
        if len(held) >= self._completed:
            return
        for raw in stored_lines(self.run):
            number, status = read_heads(raw)
            if status == "completed" and number not in held:
                yield raw

    def _lines_ended(self, lines: Sequence[FinishedLine]) -> None:
        for line in lines:
            if line.usage != _NOTHING:
                self._budget.spent(line.usage)
        self._store_lines(lines)

    def _store_lines(self, lines: Sequence[FinishedLine]) -> None:
        assert self._writer is not None
        self._writer.append(*lines)
        for line in lines:
            self._count(line)
            self._progress.line(line)
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._hold.require_held()
            self._looked_s = time.monotonic()

    def _count(self, line: FinishedLine) -> None:
        if line.status == "completed":
            self._completed += 1
        else:
            self._failed += 1
        if line.usage != _NOTHING:
            self._usage += line.usage

    def _stop(self, status: RunStatus) -> None:
        """Close the record of a run that did not get to its end, as far as its place can be written."""
        with contextlib.suppress(OSError, StoreError, NotFound):
            self._close(status=status)

    def _close(self, **changes: Any) -> RunRecord:
        ended = self._completed + self._failed
        total = ended if changes["status"] == "completed" else max(self.run.lines.total, ended)
        missing = self.run.lines.total - ended
        warnings = [*self.run.warnings, *self._budget.notes(stopped=changes["status"] == "canceled")]
        if changes["status"] == "completed" and missing > 0:
            warnings.append(f"{missing} lines were not run: a source has no row for them.")
        run = replace(
            self.run,
            lines=LineCounts(total, self._completed, self._failed),
            usage=self._usage,
            ended_at=datetime.now(UTC).isoformat(),
            duration_s=self._earlier_s + time.perf_counter() - self._started,
            warnings=tuple(warnings),
            **changes,
        )
        try:
            write_outputs(run)
        except (OSError, StoreError) as error:
            self._store.save_run(replace(run, status="failed"))
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"Cannot write the outputs of run {run.name!r}: {error.strerror}.") from error
        self._store.save_run(run)
        self._progress.end(run)
        return run


_NOTHING = Usage()
