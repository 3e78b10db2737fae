"""Handing lines to worker processes, and finding out which line to blame when one of them ends.

A worker whose lines end quickly has more than it runs, so that it never waits for the next one. Slow lines, where few
run at once, are given out when one was stored, so that a kill finds no answer that was paid for and is not stored yet.

When a worker ends by itself, the lines that it was running are suspects: a single one is to blame, several are run
again one by one. The others just run again.
"""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flowyard.errors import OutsideError
from flowyard.records import LineResult, LineTask
from flowyard.sessions.black_box import read_black_box
from flowyard.sessions.lost_lines import crashed, timed_out
from flowyard.sessions.messages import FEW_AT_ONCE
from flowyard.sessions.session import Concurrency, FinishedLine, LimitSeen, LineSink

__all__ = ["LineDriver", "LineHand", "Share"]

_AHEAD_S = 0.03
"""How much work, in seconds, waits in a worker beside the lines that it runs; none where few lines
run at once and take longer."""
_MOST_AHEAD = 1000
_LONGEST_GRACE_S = 5.0
_MOST_FAILED_STARTS = 3


class LineHand(Protocol):
    """A worker process that runs lines."""

    box: Path

    def run(self, tasks: list[LineTask]) -> None:
        """Run these as well."""

    def set_limit(self, limit: int, number: int) -> None:
        """Run that many at once; the limit of all lines is set for the ``number``-th time."""

    def kill(self) -> None:
        """End at once."""


@dataclass(slots=True, eq=False)
class Share:
    """What one worker has: its lines by number, and how fast they end."""

    hand: LineHand
    lines: dict[int, LineTask] = field(default_factory=dict)
    told: int = 0
    alone: bool = False
    rate: float = 0.0
    line_s: float | None = None
    rated_at_s: float = field(default_factory=time.monotonic)
    limit: int = 0
    number: int = 0
    seen: LimitSeen = LimitSeen()
    late: LineTask | None = None

    def rated(self, lines: list[FinishedLine]) -> None:
        """Note that lines ended."""
        self.told += len(lines)
        self.line_s = sum(line.duration_s for line in lines) / len(lines)
        now_s = time.monotonic()
        passed_s = now_s - self.rated_at_s
        if self.told and passed_s > 0.02:
            self.rate, self.told, self.rated_at_s = self.told / passed_s, 0, now_s


class LineDriver:
    """The lines of one run on their way through the workers. ``replace`` starts a worker anew; ``encode`` stores."""

    def __init__(
        self,
        tasks: Iterator[LineTask],
        sink: LineSink,
        concurrency: Concurrency,
        encode: Callable[[LineResult], FinishedLine],
        line_timeout_s: float | None,
    ) -> None:
        self._tasks = tasks
        self._sink = sink
        self._concurrency = concurrency
        self._encode = encode
        self._timeout_s = line_timeout_s
        self._again: collections.deque[LineTask] = collections.deque()
        self._suspects: collections.deque[LineTask] = collections.deque()
        self._shares: dict[LineHand, Share] = {}
        self._is_read = False
        self._done = asyncio.Event()
        self._failure: BaseException | None = None
        self._failed_starts = 0
        self._workers = 1

    async def run(self, workers: int) -> None:
        """Wait until every line ended. Raises what reading or storing of a line raised, or OutsideError."""
        self._workers = workers
        watch = asyncio.create_task(self._watch()) if self._timeout_s is not None else None
        try:
            await self._done.wait()
        finally:
            if watch is not None:
                watch.cancel()
        if self._failure is not None:
            raise self._failure

    @property
    def is_over(self) -> bool:
        """Whether every line ended, or the run of lines did."""
        return self._done.is_set()

    def fail(self, error: BaseException) -> None:
        """End the run of lines with an error."""
        self._failure = self._failure or error
        self._done.set()

    def add(self, hand: LineHand) -> None:
        """A worker is ready for lines."""
        self._shares[hand] = Share(hand)
        self._supply_or_fail()

    def lines_ended(self, hand: LineHand, lines: list[FinishedLine]) -> None:
        """A worker tells of lines that ended."""
        share = self._shares[hand]
        self._failed_starts = 0
        now_s = time.monotonic()
        try:
            wanted = [line for line in lines if share.lines.pop(line.line_number, None) is not None]
            for line in wanted:
                share.seen = line.limit_seen
                self._concurrency.line_ended(
                    line.duration_s, line.usage.refused_calls, now_s, line.limit_seen.began, self._earlier_left()
                )
            self._sink(wanted)
            share.rated(lines)
            self._supply()
        except BaseException as error:
            self.fail(error)

    def _earlier_left(self) -> int:
        """How many lines still run that began before the present limit; a worker that has yet to hear of it runs only
        such lines.
        """
        number = self._concurrency.number
        return sum(
            share.seen.earlier_left if share.seen.ended == number else min(len(share.lines), share.limit)
            for share in self._shares.values()
        )

    def hand_ended(self, hand: LineHand, how: str) -> None:
        """A worker ended by itself. Its lines are blamed or run again; raises nothing."""
        share = self._shares.pop(hand, None)
        if share is None or not share.lines:
            self._failed_starts += 1
        else:
            self._blame(share, how)
            self._supply_or_fail()
        if self._failed_starts >= _MOST_FAILED_STARTS:
            self.fail(OutsideError(f"The worker process ends before it runs a line: {how}."))

    def _blame(self, share: Share, how: str) -> None:
        running = [share.lines.pop(number) for number, _ in read_black_box(share.hand.box) if number in share.lines]
        self._again.extend(share.lines.values())
        if len(running) > 1:
            self._suspects.extend(running)
        elif not running:
            self._failed_starts += 0 if share.late else 1
        elif share.late is None:
            self._tell(crashed(running[0], how))
        elif share.late in running:
            assert self._timeout_s is not None
            self._tell(timed_out(share.late, self._timeout_s))
        else:  # the late one ended just before its process was
            self._again.extend(running)

    def _tell(self, result: LineResult) -> None:
        self._failed_starts = 0
        try:
            self._sink([self._encode(result)])
        except BaseException as error:
            self.fail(error)

    def _supply_or_fail(self) -> None:
        try:
            self._supply()
        except BaseException as error:
            self.fail(error)

    def _supply(self) -> None:
        """Give every worker what it has room for, and end when nothing is left."""
        for share in self._shares.values():
            self._set_limit(share)
            room = self._room(share)
            tasks = self._next_tasks(share, room) if room > 0 else []
            if tasks:
                share.lines.update((task.line_number, task) for task in tasks)
                share.hand.run(tasks)
        if (
            self._is_read
            and not self._again
            and not self._suspects
            and not any(share.lines for share in self._shares.values())
        ):
            self._done.set()

    def _room(self, share: Share) -> int:
        """How many lines more the worker should have; a few ended ones together make a message worth sending."""
        if share.lines and (share.alone or self._suspects):
            return 0
        share.alone = bool(self._suspects)
        if share.alone:
            return 1
        return share.limit + self._ahead(share) - len(share.lines)

    def _ahead(self, share: Share) -> int:
        """How many lines it should have beside those that it runs."""
        if self._concurrency.limit > FEW_AT_ONCE:
            return min(_MOST_AHEAD, max(share.limit // 4, int(share.rate * _AHEAD_S), 2))
        if share.line_s is None or share.line_s >= _AHEAD_S:
            return 0
        rate = share.rate or share.limit / max(share.line_s, 1e-6)
        return min(_MOST_AHEAD, int(rate * _AHEAD_S))

    def _next_tasks(self, share: Share, room: int) -> list[LineTask]:
        if share.alone:
            return [self._suspects.popleft()]
        tasks = [self._again.popleft() for _ in range(min(room, len(self._again)))]
        while len(tasks) < room and not self._is_read:
            task = next(self._tasks, None)
            if task is None:
                self._is_read = True
            else:
                tasks.append(task)
        return tasks

    def _set_limit(self, share: Share) -> None:
        limit, number = self._part(share), self._concurrency.number
        if (limit, number) != (share.limit, share.number):
            share.limit, share.number = limit, number
            share.hand.set_limit(limit, number)

    def _part(self, share: Share) -> int:
        """This worker's part of all lines that may run at once."""
        del share  # all have equal parts
        return max(1, -(-self._concurrency.limit // self._workers))

    async def _watch(self) -> None:
        """End workers that hold a line past its time and cannot tell, because its code never lets go."""
        assert self._timeout_s is not None
        grace_s = min(_LONGEST_GRACE_S, 1.0 + self._timeout_s / 10)
        while True:
            await asyncio.sleep(0.25)
            latest_s = time.monotonic() - self._timeout_s - grace_s
            for share in list(self._shares.values()):
                late = [number for number, began in read_black_box(share.hand.box) if began < latest_s]
                held = next((share.lines[number] for number in late if number in share.lines), None)
                if held is not None and share.late is None:
                    share.late = held
                    share.hand.kill()
