"""A process that is started before anybody knows what for, while the program itself is still being imported."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping

__all__ = ["start_spare", "take_spare"]

_spares: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}


def start_spare(argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> None:
    """Start a process that reads standard input and ends with it. One that nobody takes is ended at exit.

    ``env`` goes over the environment; it may only say what makes the process quicker, as any taker has it.
    """
    if sys.platform == "win32" or argv in _spares:
        return
    with contextlib.suppress(OSError):  # whoever needs it starts it again and says why it fails
        if not _spares:
            atexit.register(_end_all)
        _spares[argv] = subprocess.Popen(  # noqa: S603 - our own command
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env} if env else None,
            process_group=0,
        )


def take_spare(argv: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """The spare of that command, if there is one that still runs."""
    spare = _spares.pop(argv, None)
    return spare if spare is not None and spare.poll() is None else None


def _end_all() -> None:
    for spare in _spares.values():
        with contextlib.suppress(OSError):
            spare.kill()
        spare.wait()
        for pipe in (spare.stdin, spare.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    _spares.clear()
