"""One process at a time, by a lock file that a killed process cannot leave locked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["lock", "lock_region", "locked", "try_lock", "unlock", "unlock_region"]


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[IO[bytes]]:
    """Hold the lock of the file ``path``, which is made when it is missing; waits for whoever holds it.

    ``on_wait`` is called first when there is somebody to wait for. Gives the open file: a child process that inherits
    its descriptor holds the lock too, until it ends or the lock is given back here.
    """
    with path.open("a+b") as file:
        lock(file, on_wait=on_wait)
        try:
            yield file
        finally:
            unlock(file)


def lock(file: IO[bytes], *, shared: bool = False, on_wait: Callable[[], None] | None = None) -> None:
    """Lock an open file, after all who hold the lock in a way that excludes this one; see ``try_lock``."""
    if not try_lock(file, shared=shared):
        if on_wait:
            on_wait()
        _lock(file, shared=shared)


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # locked bytes cannot be read there, and what the file says should be

    def _lock(file: IO[bytes], *, shared: bool) -> None:  # noqa: ARG001 - Windows has no shared ones here
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

    def _lock(file: IO[bytes], *, shared: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

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

    def lock_region(descriptor: int, start: int, length: int) -> None:
        """Hold some bytes of an open file for this process; waits for another that holds them."""
        fcntl.lockf(descriptor, fcntl.LOCK_EX, length, start)

    def unlock_region(descriptor: int, start: int, length: int) -> None:
        """Let go of what ``lock_region`` holds; the kernel does the same when the process dies."""
        fcntl.lockf(descriptor, fcntl.LOCK_UN, length, start)
