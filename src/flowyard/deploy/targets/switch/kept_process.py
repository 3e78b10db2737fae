"""A process of ours that goes on after the command that started it, known by the lock that it holds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flowyard._util.lock import try_lock, unlock
from flowyard.errors import OutsideError

__all__ = ["KeptProcess"]

_LOOK_S = 0.05


class KeptProcess:
    """The process that holds ``<folder>/<name>.lock``, whose content is its id; what it prints is in ``<name>.log``.

    The kernel gives the lock back when the process ends, however it does; so an id is only used while it is held.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._lock = folder / f"{name}.lock"
        self.log = folder / f"{name}.log"

    @contextmanager
    def being_it(self) -> Iterator[bool]:
        """In the process itself: hold the lock as long as the context lasts. Gives False when another one has it."""
        with self._lock.open("a+b") as file:
            mine = try_lock(file)
            if mine:
                file.truncate(0)
                file.write(str(os.getpid()).encode())
                file.flush()
            yield mine

    def is_running(self) -> bool:
        """Whether somebody holds the lock."""
        if not self._lock.exists():
            return False
        with self._lock.open("rb") as file:
            if not try_lock(file):
                return True
            unlock(file)
            return False

    def start(self, module: str, words: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it, in a session of its own, and wait until it holds the lock; does nothing when it runs.

        Raises OutsideError with the end of its log when it does not come up.
        """
        if self.is_running():
            return
        argv = [sys.executable, "-P", "-m", module, *words]
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environ), start_new_session=True
            )
        threading.Thread(target=process.wait, daemon=True).start()  # so that it is no zombie when it ends before us
        while not self.is_running():
            if process.poll() is not None:
                said = "\n".join(self.last_lines(5))
                raise OutsideError(f"{module} ended with {process.returncode}:\n{said}", hint=f"See {self.log}")
            time.sleep(_LOOK_S)

    def stop(self, patience_s: float = 60.0) -> None:
        """Have it end in order, or by force when that takes too long; it is gone when this returns."""
        if not self.is_running():
            return
        self._signal(signal.SIGTERM)
        until = time.monotonic() + patience_s
        while self.is_running():
            if time.monotonic() > until:
                self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            time.sleep(_LOOK_S)

    def last_lines(self, count: int) -> list[str]:
        """The last lines of its log, oldest first."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - count * 1000))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, ValueError, OSError):
            os.kill(int(self._lock.read_text()), number)
