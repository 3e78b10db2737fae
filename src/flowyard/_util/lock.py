"""Locks between processes, by files that a killed process cannot leave locked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["hold_shared", "locked", "try_locked"]


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold the lock of the file ``path``, which is made when it is missing; waits for whoever holds it.

    ``on_wait`` is called first when there is somebody to wait for. Gives the lock's file descriptor: a child process
    that is handed it holds the lock too, until it ends.
    """
    handle = _open(path)
    try:
        if not (on_wait and _try_lock(handle)):
            if on_wait:
                on_wait()
            _lock(handle)
        try:
            yield handle
        finally:
            _unlock(handle)
    finally:
        os.close(handle)


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """As ``locked``, but gives False at once when somebody else holds the lock, shared or not."""
    handle = _open(path)
    try:
        got = _try_lock(handle)
        try:
            yield got
        finally:
            if got:
                _unlock(handle)
    finally:
        os.close(handle)


def hold_shared(path: Path, on_wait: Callable[[], None]) -> int:
    """Hold the lock together with others who do the same, until ``os.close`` of the returned descriptor.

    Calls ``on_wait`` and waits while somebody has it alone. Windows knows no such lock: there, files in use cannot be
    deleted anyway.
    """
    handle = _open(path)
    _share(handle, on_wait)
    return handle


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        while not _try_lock(handle, msvcrt.LK_LOCK):  # Windows gives up after ten seconds; we do not
            continue

    def _try_lock(handle: int, mode: int = msvcrt.LK_NBLCK) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(handle, mode, 1)
            return True
        return False

    def _share(handle: int, on_wait: Callable[[], None]) -> None:
        if not _try_lock(handle):
            on_wait()
            _lock(handle)
        _unlock(handle)

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _try_lock(handle: int) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _share(handle: int, on_wait: Callable[[], None]) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_SH)

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
