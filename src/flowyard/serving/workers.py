"""Several processes behind one port: each accepts from the same socket, and one process starts them and ends them.

Plain Python uses one core for each process, so flows that compute are answered by several. The socket is opened once
and handed down: a worker that crashes takes no waiting connection with it, as it would with a socket of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["WORKER_VARIABLE", "Worker", "Workers", "own_command"]

WORKER_VARIABLE = "FLOWYARD_SERVE_WORKER"
"""Tells a worker that it is one; set by the process that starts it, and by nobody else."""

_BACKLOG = 2048
_FIRST_WAIT_S, _LONGEST_WAIT_S, _HEALTHY_S = 0.1, 10.0, 30.0
_POLL_S = 0.02
_SPARE_S = 10.0
_MOST_FOLDER = 60


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is told: which it is, the socket it accepts from, a pipe that ends with whoever started it, and the
    folder where workers find each other.
    """

    number: int
    socket: int
    alive: int
    folder: Path

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Worker | None:
        """From the environment; None in a process that nobody started as a worker."""
        text = environ.get(WORKER_VARIABLE, "")
        if not text:
            return None
        number, listening, alive, folder = text.split(":", 3)
        return cls(int(number), int(listening), int(alive), Path(folder))

    @property
    def text(self) -> str:
        return f"{self.number}:{self.socket}:{self.alive}:{self.folder}"

    @property
    def ready_file(self) -> Path:
        """Where it writes that it answers."""
        return self.folder / f"{self.number}.ready"

    def end_with_parent(self) -> None:
        """Stop as if asked to once the process that started this one is gone."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self.alive)
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(self.alive, gone)


class Workers:
    """Starts ``count`` processes of ``command``, starts those anew that end, and ends them all within ``grace_s``."""

    def __init__(
        self,
        count: int,
        command: Sequence[str],
        environ: Mapping[str, str],
        grace_s: float,
        warn: Callable[[str], None],
    ) -> None:
        self._count = count
        self._command = list(command)
        self._environ = dict(environ)
        self._grace_s = grace_s
        self._warn = warn
        self._running: dict[int, Process] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._socket: socket.socket | None = None
        self._alive = (-1, -1)
        self._folder: Path | None = None

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address once all workers answer.

        Raises OSError, and SystemExit with its exit code when the first worker does not come up: it has said why.
        """
        self._socket = opened = _listening(host, port)
        self._alive = os.pipe()
        self._folder = Path(tempfile.mkdtemp(prefix="flowyard-serve-", dir=_short_folder()))
        first = await self._started(0)  # alone, so that what is wrong with the flow is said once
        if not await self._until_ready(0, first):
            raise SystemExit(first.returncode or 1)
        rest = [await self._started(number) for number in range(1, self._count)]
        self._keeping = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        for number, process in enumerate(rest, 1):
            await self._until_ready(number, process)
        name = opened.getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """Ask all workers to end, and end those that do not."""
        self._is_closing = True
        for task in self._keeping:
            task.cancel()
        if self._socket is not None:
            self._socket.close()
        try:
            await self._ended()
        except asyncio.CancelledError:  # somebody is in a hurry
            await self._ended()
        for end in self._alive:
            with contextlib.suppress(OSError):
                os.close(end)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _ended(self) -> None:
        running = [process for process in self._running.values() if process.returncode is None]
        for process in running:
            _send(process, signal.SIGTERM)
        if not running:
            return
        waits = [asyncio.ensure_future(process.wait()) for process in running]
        _, late = await asyncio.wait(waits, timeout=self._grace_s + _SPARE_S)
        for process in running if late else ():
            _send(process, signal.SIGKILL)
        await asyncio.gather(*waits)

    async def _keep(self, number: int) -> None:
        """Start the worker anew whenever it ends, more slowly when it ends soon."""
        wait_s = _FIRST_WAIT_S
        while True:
            began = time.monotonic()
            code = await self._running[number].wait()
            wait_s = _FIRST_WAIT_S if time.monotonic() - began > _HEALTHY_S else min(wait_s * 2, _LONGEST_WAIT_S)
            self._warn(f"Worker {number} ended with {code} and is started again.")
            await asyncio.sleep(wait_s)
            await self._started(number)

    async def _started(self, number: int) -> Process:
        assert self._socket is not None
        assert self._folder is not None
        worker = Worker(number, self._socket.fileno(), self._alive[0], self._folder)
        worker.ready_file.unlink(missing_ok=True)
        process = self._running[number] = await asyncio.create_subprocess_exec(
            *self._command,
            env={**self._environ, WORKER_VARIABLE: worker.text},
            pass_fds=(worker.socket, worker.alive),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C reaches the process that started it, which asks it to end
        )
        return process

    async def _until_ready(self, number: int, process: Process) -> bool:
        assert self._folder is not None
        file = Worker(number, 0, 0, self._folder).ready_file
        while not file.exists():
            if process.returncode is not None or self._is_closing:
                return False
            await asyncio.sleep(_POLL_S)
        return True


def _short_folder() -> str | None:
    """Where temporary folders are; elsewhere if that is too long for the name of a socket."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(usual) > _MOST_FOLDER and os.access("/tmp", os.W_OK) else usual  # noqa: S108 - mkdtemp's


def own_command() -> list[str]:
    """This very command once more."""
    return [sys.executable, "-m", "flowyard", *sys.argv[1:]]


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _send(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
