"""One process at a time, by a lock file that a killed process cannot leave locked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["lock_region", "locked", "unlock_region"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file ``path``, which is made when it is missing; waits for whoever holds it."""
    with path.open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError:  # Windows gives up after ten seconds; we do not
                continue
            return

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

    def lock_region(descriptor: int, start: int, length: int) -> None:
        """Hold some bytes of an open file for this process; waits for another that holds them."""
        while True:
            os.lseek(descriptor, start, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, length)
            except OSError:
                continue
            return

    def unlock_region(descriptor: int, start: int, length: int) -> None:
        """Let go of what ``lock_region`` holds; the kernel does the same when the process dies."""
        os.lseek(descriptor, start, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, length)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def lock_region(descriptor: int, start: int, length: int) -> None:
        """Hold some bytes of an open file for this process; waits for another that holds them."""
        fcntl.lockf(descriptor, fcntl.LOCK_EX, length, start)

    def unlock_region(descriptor: int, start: int, length: int) -> None:
        """Let go of what ``lock_region`` holds; the kernel does the same when the process dies."""
        fcntl.lockf(descriptor, fcntl.LOCK_UN, length, start)
