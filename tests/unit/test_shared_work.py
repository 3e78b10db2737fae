"""Work that is under way once, whoever asks for it and goes away again."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flowyard._util.shared_work import SharedWork
from flowyard.errors import OutsideError


class Work:
    """Counts how often it was begun; ends when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.is_begun = threading.Event()
        self.may_end = threading.Event()
        self.error: OutsideError | None = None

    def __call__(self) -> int:
        self.begun += 1
        self.is_begun.set()
        assert self.may_end.wait(60)
        if self.error is not None:
            raise self.error
        return self.begun


async def test_who_goes_away_leaves_it_to_who_asks_next():
    work = Work()
    shared = SharedWork(work)
    first = asyncio.create_task(shared.result())
    await asyncio.to_thread(work.is_begun.wait, 60)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    others = [asyncio.create_task(shared.result()) for _ in range(3)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*others) == [1, 1, 1]
    assert await shared.result() == 2, "what has ended is begun anew"


async def test_an_error_reaches_all_and_is_no_warning_when_nobody_waits():
    work = Work()
    work.error = OutsideError("gone")
    shared = SharedWork(work)
    waiting = [asyncio.create_task(shared.result()) for _ in range(2)]
    await asyncio.to_thread(work.is_begun.wait, 60)
    waiting[0].cancel()
    work.may_end.set()
    with pytest.raises(OutsideError):
        await waiting[1]
