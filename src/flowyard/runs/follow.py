"""Following a run that another process is making."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import BinaryIO

from flowyard.abc import Store
from flowyard.records import LineResult, RunRecord
from flowyard.sessions.encoding import read_line

__all__ = ["follow_lines"]

_POLL_S = 0.2


def follow_lines(store: Store, run: RunRecord) -> Iterator[LineResult]:
    """Every line of a run in the order they finished, and those to come until it ends, however it does.

    Ask the store for the record afterwards. Raises NotFound when the run is deleted meanwhile.
    """
    while run.status == "running" and not run.lines_path.exists():
        time.sleep(_POLL_S)
        run = store.get_run(run.name)
    if not run.lines_path.exists():
        return
    with run.lines_path.open("rb") as file:
        while run.status == "running":
            yield from _new_lines(file)
            time.sleep(_POLL_S)
            run = store.get_run(run.name)
        yield from _new_lines(file)


def _new_lines(file: BinaryIO) -> Iterator[LineResult]:
    """The whole lines from here on; the file is left at the start of one that is still being written."""
    while True:
        start = file.tell()
        raw = file.readline()
        if not raw.endswith(b"\n"):
            file.seek(start)
            return
        yield read_line(raw, "A line")
