"""One process at a time, by a lock file that a killed process cannot leave locked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["locked", "try_lock", "unlock"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file ``path``, which is made when it is missing; waits for whoever holds it."""
    with path.open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            unlock(file)


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # locked bytes cannot be read there, and what the file says should be

    def _lock(file: IO[bytes]) -> None:
        while True:
            try:
                file.seek(_FAR)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError:  # Windows gives up after ten seconds; we do not
                continue
            return

    def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:  # noqa: ARG001 - Windows has no shared ones here
        """Lock an open file if nobody else has; a shared lock allows other shared ones."""
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Give the lock back; closing the file does, too."""
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
        """Lock an open file if nobody else has; a shared lock allows other shared ones."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Give the lock back; closing the file does, too."""
        fcntl.flock(file, fcntl.LOCK_UN)
