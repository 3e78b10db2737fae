"""What happens to lines whose worker went away with its node."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import OutsideError
from flowyard.records import LineTask
from flowyard.sessions.cluster.driver import ClusterDriver
from flowyard.sessions.encoding import LineEncoder
from flowyard.sessions.session import FinishedLine, FixedConcurrency


class Hand:
    """A worker that keeps what it is given."""

    box = Path("/dev/null")

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.limit = 0

    def run(self, tasks: list[LineTask]) -> None:
        self.lines += [task.line_number for task in tasks]

    def set_limit(self, limit: int, number: int) -> None:
        self.limit = limit

    def kill(self) -> None:
        raise AssertionError


class Lines:
    """A driver over some lines, and what it stored."""

    def __init__(self, count: int, concurrency: int = 4) -> None:
        self.told: list[FinishedLine] = []
        self.encode = LineEncoder(Path("nowhere")).finished
        tasks = (LineTask(number, {}) for number in range(count))
        self.driver = ClusterDriver(tasks, self.told.extend, FixedConcurrency(concurrency), self.encode, None)
        self.waiting = asyncio.create_task(self.driver.run(2))

    async def begin(self) -> list[Hand]:
        await asyncio.sleep(0)
        return [self.add(), self.add()]

    def add(self) -> Hand:
        hand = Hand()
        self.driver.add(hand)
        return hand

    def end(self, hand: Hand, numbers: Iterable[int]) -> None:
        for number in list(numbers):
            hand.lines.remove(number)
            self.driver.lines_ended(hand, [done(number)])

    def lose(self, hand: Hand) -> Hand:
        self.driver.hand_lost(hand, "its node went away")
        return self.add()


def done(number: int) -> FinishedLine:
    from flowyard.records import LineResult

    return LineEncoder(Path("nowhere")).finished(LineResult(number, "completed", {}, {}))


async def finish(lines: Lines, hands: list[Hand], deadly: frozenset[int] = frozenset()) -> None:
    """Work until nothing is left; a worker that has a deadly line is lost."""
    for _ in range(500):
        if lines.waiting.done():
            break
        for place, hand in enumerate(list(hands)):
            if deadly & set(hand.lines):
                hands[place] = lines.lose(hand)
            elif hand.lines:
                lines.end(hand, hand.lines[:1])
        await asyncio.sleep(0)
    await lines.waiting


@given(
    count=st.integers(0, 30),
    deadly=st.frozensets(st.integers(0, 29), max_size=4),
    concurrency=st.integers(1, 8),
)
@settings(max_examples=80, deadline=None)
def test_every_line_ends_once_and_only_deadly_ones_fail(count: int, deadly: frozenset[int], concurrency: int):
    async def go() -> None:
        lines = Lines(count, concurrency)
        await finish(lines, await lines.begin(), deadly)
        assert Counter(line.line_number for line in lines.told) == Counter(range(count))
        failed = {line.line_number for line in lines.told if line.status == "failed"}
        assert failed == {number for number in deadly if number < count}
        assert {line.error.type for line in lines.told if line.error} <= {"WorkerCrashed"}

    asyncio.run(go())


async def test_lines_lost_once_run_again_beside_others():
    lines = Lines(10)
    first, second = await lines.begin()
    lost = set(first.lines)
    third = lines.lose(first)
    assert lost <= set(third.lines) | set(second.lines)
    await finish(lines, [second, third])
    assert all(line.status == "completed" for line in lines.told)


async def test_a_worker_that_goes_without_lines_blames_nobody():
    lines = Lines(3)
    first, second = await lines.begin()
    lines.end(first, list(first.lines))
    await finish(lines, [lines.lose(first), second])
    assert sorted(line.line_number for line in lines.told) == [0, 1, 2]


async def test_limits_add_up_to_the_concurrency_and_are_shared_anew():
    lines = Lines(100, concurrency=7)
    hands = await lines.begin()
    assert sorted(hand.limit for hand in hands) == [3, 4]
    lines.driver.hand_lost(hands[0], "gone")
    lines.driver.expect_workers(1)
    assert hands[1].limit == 7
    hands[0] = lines.add()
    lines.driver.expect_workers(2)
    assert sum(hand.limit for hand in hands) == 7
    await finish(lines, hands)


async def test_when_no_worker_can_be_started_the_run_ends():
    lines = Lines(3)
    await asyncio.sleep(0)
    for _ in range(10):
        lines.driver.hand_lost(Hand(), "no module named flowyard")
    with pytest.raises(OutsideError, match="no module named flowyard"):
        await lines.waiting
