"""Requests that a deployment has begun, known across processes: who takes a deployment away waits for them.

The switch shares the lock of a deployment's file while it has requests there; who wants to stop it takes it alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flowyard._util.lock import try_lock

__all__ = ["UnderWay", "none_under_way"]

_FILE = "under_way.lock"
_LOOK_S = 0.05


class UnderWay:
    """What one switch has under way, by deployment."""

    def __init__(self) -> None:
        self._held: dict[Path, tuple[IO[bytes], int]] = {}

    def begin(self, folder: Path) -> bool:
        """Count one more request; False when the deployment is being stopped or is gone."""
        file, count = self._held.get(folder, (None, 0))
        if file is None:
            file = _locked(folder)
        if file is None:
            return False
        self._held[folder] = (file, count + 1)
        return True

    def end(self, folder: Path) -> None:
        """Count one less."""
        file, count = self._held.pop(folder)
        if count > 1:
            self._held[folder] = (file, count - 1)
        else:
            file.close()


@contextmanager
def none_under_way(folder: Path, patience_s: float) -> Iterator[None]:
    """No request begins at the deployment as long as the context lasts; waits for those under way, up to a time."""
    if not folder.is_dir():
        yield
        return
    with (folder / _FILE).open("a+b") as file:
        until = time.monotonic() + patience_s
        while not try_lock(file) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        yield


def _locked(folder: Path) -> IO[bytes] | None:
    try:
        file = (folder / _FILE).open("a+b")
    except OSError:
        return None
    if not try_lock(file, shared=True):
        file.close()
        return None
    return file
