"""Following a run that another process is making."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import SEEK_END
from typing import BinaryIO

from flowyard.abc import Store
from flowyard.records import LineResult, RunRecord
from flowyard.sessions.encoding import read_line

__all__ = ["follow_lines", "last_lines"]

_POLL_S = 0.2
_BLOCK = 1 << 16


def follow_lines(store: Store, run: RunRecord, start: int = 0) -> Iterator[LineResult]:
    """Every line of a run in the order they finished, and those to come until it ends, however it does.

    ``start`` is the place in the run's lines to begin at, which ``last_lines`` gives.

    Ask the store for the record afterwards. Raises NotFound when the run is deleted meanwhile.
    """
    while run.status == "running" and not run.lines_path.exists():
        time.sleep(_POLL_S)
        run = store.get_run(run.name)
    if not run.lines_path.exists():
        return
    with run.lines_path.open("rb") as file:
        file.seek(start)
        while run.status == "running":
            yield from _new_lines(file)
            time.sleep(_POLL_S)
            run = store.get_run(run.name)
        yield from _new_lines(file)


def last_lines(run: RunRecord, count: int) -> tuple[list[LineResult], int]:
    """The last lines of a run in the order they finished, and the place in its lines behind them.

    Only the end of the file is read.
    """
    if not run.lines_path.exists():
        return [], 0
    with run.lines_path.open("rb") as file:
        place = file.seek(0, SEEK_END)
        data = b""
        while place > 0 and data.count(b"\n") <= count:
            step = min(_BLOCK, place)
            place = file.seek(place - step)
            data = file.read(step) + data
    whole = data[: data.rfind(b"\n") + 1]
    rows = whole.split(b"\n")[:-1][-count:] if count else []
    return [read_line(raw, "A line") for raw in rows], place + len(whole)


def _new_lines(file: BinaryIO) -> Iterator[LineResult]:
    """The whole lines from here on; the file is left at the start of one that is still being written."""
    while True:
        start = file.tell()
        raw = file.readline()
        if not raw.endswith(b"\n"):
            file.seek(start)
            return
        yield read_line(raw, "A line")
