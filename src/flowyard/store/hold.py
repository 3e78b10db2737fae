"""Who runs a run: a kernel lock on a file in its folder, which the kernel frees when its process dies.

The lock belongs to the open file. Whoever wants to know whether a run is held takes a shared lock for an instant, which
a process that wants to hold the run waits for; only another holder makes it give up.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flowyard._util.lock import try_lock, unlock
from flowyard.abc import Hold
from flowyard.errors import Conflict, StoreError

__all__ = ["HOLD_FILE", "FileHold", "hold_folder", "is_held", "unheld"]

HOLD_FILE = "hold.lock"

_LONGEST_LOOK_S = 60.0
"""How long others may look whether the run is held; they count its lines then, if nobody does."""

_open_files: set[IO[bytes]] = set()


class FileHold(Hold):
    """A held run: the open lock file in its folder."""

    def __init__(self, name: str, path: Path, file: IO[bytes]) -> None:
        self.name = name
        self._path = path
        self._file = file

    def require_held(self) -> None:
        if self._file.closed or not _is_same(self._path, self._file):
            raise Conflict(
                f"Run {self.name!r} is no longer held by this process: {self._path} was deleted or replaced.",
                hint=f"See who runs it: flowyard run show -n {self.name}",
            )


@contextmanager
def hold_folder(name: str, folder: Path) -> Iterator[FileHold]:
    """Hold the run of that folder, which is made when it is missing, and removed again when nothing came into it.

    Raises Conflict naming the process that holds it, StoreError when the folder cannot be written.
    """
    try:
        file = _locked(name, folder)
    except OSError as error:
        raise StoreError(f"Cannot hold the run in {folder}: {error.strerror}.") from error
    _open_files.add(file)
    try:
        yield FileHold(name, folder / HOLD_FILE, file)
    finally:
        with suppress(OSError):
            file.truncate(0)  # nobody holds it, so it names nobody
        _remove_if_alone(folder, file)
        _open_files.discard(file)
        file.close()


@contextmanager
def unheld(folder: Path) -> Iterator[bool]:
    """Whether nobody holds the run of that folder; if so, nobody can until the context ends."""
    try:
        file = (folder / HOLD_FILE).open("rb")
    except OSError:
        yield True  # without a lock file there is no hold, and a folder that is elsewhere is judged by who asks
        return
    with file:
        yield try_lock(file, shared=True)


def is_held(folder: Path) -> bool:
    """Whether somebody holds the run of that folder."""
    with unheld(folder) as free:
        return not free


def _locked(name: str, folder: Path) -> IO[bytes]:
    until = time.monotonic() + _LONGEST_LOOK_S
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file = (folder / HOLD_FILE).open("a+b", buffering=0)
        except FileNotFoundError:
            continue  # the folder was removed meanwhile
        try:
            if _lock(file, until):
                if _is_same(folder / HOLD_FILE, file):
                    _sign(file)
                    return file
            else:
                raise _conflict(name, file)
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[bytes], until: float) -> bool:
    """Lock it for this process alone; False when another process holds it."""
    while not try_lock(file):
        if time.monotonic() > until or not try_lock(file, shared=True):
            return False
        unlock(file)
        time.sleep(0.002)
    return True


def _sign(file: IO[bytes]) -> None:
    with suppress(OSError):  # a full disk; the name only makes a message better
        file.truncate(0)
        file.write(f"{os.getpid()} {socket.gethostname()}\n".encode())


def _conflict(name: str, file: IO[bytes]) -> Conflict:
    file.seek(0)
    pid, _, host = file.read(300).decode(errors="replace").strip().partition(" ")
    by = f", held by process {pid} on {host}" if pid.isdigit() else ""
    return Conflict(f"Run {name!r} is running{by}.", hint=f"Wait for it: flowyard run stream -n {name}")


def _is_same(path: Path, file: IO[bytes]) -> bool:
    """Whether the open file still is the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _remove_if_alone(folder: Path, file: IO[bytes]) -> None:
    with suppress(OSError):
        if [each.name for each in folder.iterdir()] == [HOLD_FILE] and _is_same(folder / HOLD_FILE, file):
            (folder / HOLD_FILE).unlink()
            folder.rmdir()


def _forget_in_child() -> None:
    """A forked child has the open files, too, and would keep the locks after its parent died."""
    for file in _open_files:
        file.close()  # gives nothing back: the parent has it open
    _open_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
