"""Commands in processes of their own that need not import everything first: they are forked from one that has.

Importing takes a command most of a second of work, which a test of what the command does has no use for. The process
that has imported everything is started with the first command; it does nothing but fork, and ends with the tests. What
a command does to its process stays in it, as in any other. Only what an interpreter takes from its environment when it
starts, such as the seed of hashes, or a library when it is imported, such as the authorities of TLS, is the first
process's: with other such variables a command is started as usual.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

__all__ = ["warm_run"]

_OF_STARTING = ("PYTHON", "LANG", "LC_", "TZ", "LD_", "MALLOC_", "SSL_", "REQUESTS_", "AZURE_")
_LARGEST = 100_000
"""Bytes of a request; what is longer is not asked for."""
_lock = threading.Lock()
_started: list[Warm | None] = []


class Warm:
    """The process that forks, and how to ask it."""

    def __init__(self) -> None:
        self.started_with = _of_starting(os.environ)
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm_process.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        # It ends when this end of the socket is closed, and nobody waits for it then.
        self._process.returncode = 0

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str] | None:
        """Run one command, like subprocess.run with its output as texts; None when it was not begun."""
        request = json.dumps([list(words), str(folder), dict(environment)]).encode()
        if len(request) > _LARGEST:
            return None
        ours, theirs = socket.socketpair()
        (out, out_there), (err, err_there) = os.pipe(), os.pipe()
        with ours, open(out, "rb") as out_file, open(err, "rb") as err_file:  # noqa: PTH123 - descriptors, no paths
            try:
                socket.send_fds(self._asks, [request], [theirs.fileno(), out_there, err_there])
            except OSError:
                return None
            finally:
                theirs.close()
                os.close(out_there)
                os.close(err_there)
            return self._end_of(words, ours, out_file, err_file, timeout)

    @staticmethod
    def _end_of(
        words: Sequence[str], ours: socket.socket, out_file: BinaryIO, err_file: BinaryIO, timeout: float
    ) -> subprocess.CompletedProcess[str] | None:
        with ours.makefile("r") as answers:
            begun = answers.readline()
            if not begun:
                return None
            with ThreadPoolExecutor(2) as readers:
                out, err = readers.submit(out_file.read), readers.submit(err_file.read)
                ours.settimeout(timeout)
                try:
                    code = int(answers.readline())
                except TimeoutError:
                    os.kill(int(begun), signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(words), timeout) from None
            return subprocess.CompletedProcess(list(words), code, _text(out.result()), _text(err.result()))


def warm_run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """Run the command line in a forked process; None where that cannot be, and it has to be started."""
    with _lock:
        if not _started:
            _started.append(Warm() if sys.platform == "linux" else None)
    warm = _started[0]
    if warm is None or _of_starting(environment) != warm.started_with:
        return None
    return warm.run(words, folder, environment, timeout)


def _text(output: bytes) -> str:
    """As subprocess gives it: every end of a line is a line feed."""
    return output.decode().replace("\r\n", "\n").replace("\r", "\n")


def _of_starting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_OF_STARTING)}
