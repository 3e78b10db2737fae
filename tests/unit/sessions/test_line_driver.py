"""How many lines a worker is given: what it was given and is not stored yet is lost, and paid for again, by a kill."""

import asyncio
from pathlib import Path

import pytest

from flowyard.records import LineResult, LineTask, Usage
from flowyard.sessions.driver import LineDriver
from flowyard.sessions.session import FinishedLine, FixedConcurrency

AT_ONCE = 8


class Hand:
    """A worker that keeps what it is given until the test says that a line ended."""

    box = Path("nowhere")

    def __init__(self) -> None:
        self.has: list[int] = []

    def run(self, tasks: list[LineTask]) -> None:
        self.has += [task.line_number for task in tasks]

    def set_limit(self, limit: int, number: int) -> None:
        assert limit >= AT_ONCE

    def kill(self) -> None:
        raise AssertionError("nothing is late")


def no_result(result: LineResult) -> FinishedLine:
    raise AssertionError("no worker crashes")


def ended(number: int, duration_s: float) -> FinishedLine:
    return FinishedLine(number, "completed", b"{}", duration_s, Usage())


@pytest.fixture
def hand() -> Hand:
    return Hand()


async def drive(hand: Hand, duration_s: float, at_once: int = AT_ONCE, lines: int = 400) -> int:
    """All lines end one by one, each stored when it is told of; the most that the worker had and were not stored."""
    stored: list[int] = []
    most = 0
    tasks = (LineTask(number, {}) for number in range(lines))
    driver = LineDriver(
        tasks, lambda told: stored.extend(line.line_number for line in told), FixedConcurrency(at_once), no_result, None
    )
    over = asyncio.create_task(driver.run(1))
    driver.add(hand)
    while not driver.is_over:
        most = max(most, len(hand.has))
        driver.lines_ended(hand, [ended(hand.has.pop(0), duration_s)])
    await over
    assert sorted(stored) == list(range(lines))
    return most


async def test_slow_lines_are_given_out_when_one_was_stored(hand: Hand):
    assert await drive(hand, duration_s=0.2) == AT_ONCE


async def test_quick_lines_wait_in_the_worker(hand: Hand):
    assert await drive(hand, duration_s=0.0001) > AT_ONCE


async def test_where_many_run_at_once_none_waits_for_the_next(hand: Hand):
    assert await drive(hand, duration_s=0.2, at_once=64) > 64
