"""Workers that are forked from one process, which imported for all of them (Linux).

While ``forked_workers`` is in force, workers on the Python of this process begin in this way. The fork server is asked
only while the environment and the working folder are as they were when it began, so that a worker is what a new process
would be. The program starts it before anything large is imported here, so this module imports little.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

from flowyard._util.worker_command import FORK_SERVER_ARGV

__all__ = ["ForkedProcess", "fork_worker", "forked_workers", "start_fork_server"]

_LONGEST_END_S = 5.0


class ForkedProcess:
    """A forked worker, with what a Popen has that a session needs."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.stdin = os.fdopen(incoming, "wb")
        self.stdout = os.fdopen(outgoing, "rb")
        self._pid: int | None = None
        self._handle: int | None = None
        self._code: int | None = None
        self._is_started = threading.Event()
        self._is_ended = threading.Event()
        self._turn = threading.Lock()

    @property
    def pid(self) -> int:
        """Its id, which is waited for. Raises OSError when it could not be started."""
        self._is_started.wait()
        if self._pid is None:
            raise ProcessLookupError("The worker process was not started.")
        return self._pid

    def kill(self) -> None:
        """End it at once. Raises OSError when it has ended."""
        self._is_started.wait()
        with self._turn:
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the code as Popen has it. Raises TimeoutExpired."""
        if not self._is_ended.wait(timeout):
            raise subprocess.TimeoutExpired(FORK_SERVER_ARGV, timeout or 0.0)
        assert self._code is not None
        return self._code

    def started(self, pid: int) -> None:
        """Told by the fork server."""
        self._pid = pid
        with contextlib.suppress(OSError):  # it has ended again
            self._handle = os.pidfd_open(pid)
        self._is_started.set()

    def ended(self, code: int) -> None:
        """Told by the fork server, or of its end."""
        self._code = code
        with self._turn:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
        self._is_ended.set()
        self._is_started.set()


class _ForkServer:
    """The process that forks, and those it forked."""

    def __init__(self) -> None:
        self._asked, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(FORK_SERVER_ARGV, stdin=theirs.fileno(), process_group=0)  # noqa: S603 - our own
        self._begun_as = _surroundings()
        self._turn = threading.Lock()
        self._asked_for: list[ForkedProcess] = []
        self._workers: dict[int, ForkedProcess] = {}
        self._is_over = False
        self._reader = threading.Thread(target=self._read, name="flowyard-fork-server", daemon=True)
        self._reader.start()

    def fork(self) -> ForkedProcess | None:
        """A new worker; None when it would not be what a process started now would be."""
        if self._begun_as != _surroundings():
            return None
        reads, incoming = os.pipe()
        outgoing, writes = os.pipe()
        worker = ForkedProcess(incoming, outgoing)
        try:
            with self._turn:
                if not self._is_over:
                    socket.send_fds(self._asked, [b"f"], [reads, writes, 2])
                    self._asked_for.append(worker)
                    return worker
        except OSError:
            pass  # it ended
        finally:
            os.close(reads)
            os.close(writes)
        worker.stdin.close()
        worker.stdout.close()
        return None

    def close(self) -> None:
        """End it, and workers that are left."""
        with contextlib.suppress(OSError):
            self._asked.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_LONGEST_END_S)
        self._asked.close()

    def _read(self) -> None:
        with self._asked.makefile("r", encoding="ascii") as answers, contextlib.suppress(OSError):
            for answer in answers:
                self._take(answer.split())
        with self._turn:
            self._is_over = True
            lost = [*self._asked_for, *self._workers.values()]
        for worker in lost:
            worker.ended(-signal.SIGKILL)

    def _take(self, words: list[str]) -> None:
        pid = int(words[1])
        if words[0] == "started":
            with self._turn:
                worker = self._asked_for.pop(0)
            self._workers[pid] = worker
            worker.started(pid)
        else:
            self._workers.pop(pid).ended(int(words[2]))


_server: _ForkServer | None = None
_users = 0


def start_fork_server() -> None:
    """Start it, before anybody knows for sure that it is wanted; does nothing where it cannot be or is there."""
    global _server  # noqa: PLW0603 - one for the process, as its workers are
    if _server is None and sys.platform == "linux" and hasattr(signal, "pidfd_send_signal"):
        with contextlib.suppress(OSError):  # workers are started one by one then
            _server = _ForkServer()


@contextlib.contextmanager
def forked_workers() -> Iterator[None]:
    """While this lasts, workers are forked where they can be."""
    global _server, _users  # noqa: PLW0603 - see above
    _users += 1
    try:
        yield
    finally:
        _users -= 1
        if not _users and _server is not None:
            server, _server = _server, None
            server.close()


def fork_worker() -> ForkedProcess | None:
    """A worker, if they are forked now; None when it has to be started."""
    if not _users:
        return None
    start_fork_server()
    return _server.fork() if _server is not None else None


def _surroundings() -> tuple[dict[str, str], str]:
    try:
        return dict(os.environ), os.getcwd()  # noqa: PTH109 - a folder that is gone has no path, and raises
    except OSError:
        return dict(os.environ), ""
