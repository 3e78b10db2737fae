"""The flow's folder as the working directory of its code.

A process has one working directory; on Linux a thread can have its own, which threads and processes it starts inherit.
Where that is refused (some containers, other systems), the directory of the whole process is changed while a flow runs.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path

from flowyard.errors import UserError

__all__ = ["WorkingDirectory"]

_CLONE_FS = 0x00000200


class WorkingDirectory:
    """A folder as the working directory of threads, or of the process where threads cannot have one.

    ``warning`` says, for a person, that flows with different folders disturb each other; None where they do not.
    """

    def __init__(self, folder: Path) -> None:
        self.warning: str | None = None
        self.folder = folder
        self._is_sharing = False

    def enter(self) -> None:
        """Make the folder the working directory of the calling thread, never the main one. Raises UserError."""
        if not _detach_thread():
            with _shared.lock:
                if not self._is_sharing:
                    self._is_sharing = True
                    self.warning = _shared.take(self)
                return
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise UserError(f"The flow's folder {self.folder} cannot be entered: {error.strerror}.") from None

    def leave(self) -> None:
        """Give back the process's directory, if it was taken; safe to call again."""
        with _shared.lock:
            if self._is_sharing:
                self._is_sharing = False
                _shared.give_back(self)


class _SharedDirectory:
    """The directory of the process, taken by the flows that run: the one that came last has it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._taken: list[WorkingDirectory] = []
        self._before: Path | None = None
        self._was_said = False

    def take(self, place: WorkingDirectory) -> str | None:
        if not self._taken:
            self._before = Path.cwd()
        other = next((other.folder.name for other in self._taken if other.folder != place.folder), None)
        self._taken.append(place)
        self._settle()
        if other is None or self._was_said:
            return None
        self._was_said = True
        return (
            f"This system gives threads no working directory of their own, so {place.folder.name} and {other} share "
            "one while both run: code that opens files by relative paths may find those of the other flow. Run one "
            "flow at a time, or build paths from __file__."
        )

    def give_back(self, place: WorkingDirectory) -> None:
        self._taken.remove(place)
        self._settle()

    def _settle(self) -> None:
        wanted = self._taken[-1].folder if self._taken else self._before
        if wanted is not None and wanted.is_dir():
            os.chdir(wanted)


_shared = _SharedDirectory()


def _detach_thread() -> bool:
    """Detach the calling thread's working directory from the process's; False where the system refuses."""
    if not sys.platform.startswith("linux") or threading.current_thread() is threading.main_thread():
        return False
    try:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS) == 0)
    except (OSError, AttributeError):
        return False
