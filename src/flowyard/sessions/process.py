"""A worker process as the session sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping

from flowyard._util.spare_process import take_spare
from flowyard._util.worker_command import WORKER_ARGV
from flowyard.errors import OutsideError
from flowyard.sessions.environments.worker_environment import WorkerCommand
from flowyard.sessions.forked import ForkedProcess, fork_worker
from flowyard.sessions.messages import Channel, Message

__all__ = ["WorkerCommand", "WorkerProcess"]

_LONGEST_END_S = 5.0


class WorkerProcess:
    """A started worker. ``on_message`` is called on the event loop with each message, and with None at its end."""

    def __init__(self, command: WorkerCommand, on_message: Callable[[WorkerProcess, Message | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._process = _ready_process(command) or start_process(command.argv, command.env)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout, self._process.stdin)  # type: ignore[arg-type]
        self._outgoing: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._receive, "flowyard-worker-in"), (self._send, "flowyard-worker-out"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        """Send a message when the worker takes it; never waits."""
        self._outgoing.put(message)

    def end(self) -> None:
        """Ask the worker to end when it has done what it was told."""
        self._outgoing.put(("end",))

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(OSError):
            self._process.kill()

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended it by SIGKILL or SIGTERM, rather than its own code; it must have ended."""
        return self._process.wait() in (-signal.SIGKILL, -signal.SIGTERM)

    def ending(self) -> str:
        """How the process ended, for a person; it must have."""
        code = self._process.wait()
        if code >= 0:
            return f"it exited with code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"it was ended by {name}"

    async def wait(self, longest_s: float) -> None:
        """Wait for the end of the process, and kill it when it takes longer."""
        try:
            await asyncio.to_thread(self._process.wait, longest_s)
        except subprocess.TimeoutExpired:
            self.kill()
            await asyncio.to_thread(self._process.wait)
        self._outgoing.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, 1.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _receive(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self._tell(message)
        finally:  # also after a message that cannot be read
            self._see_off()
            self._tell(None)

    def _see_off(self) -> None:
        """Wait for the end of a process that closed its pipe, or says what nobody understands."""
        try:
            self._process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _tell(self, message: Message | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(self._on_message, self, message)

    def _send(self) -> None:
        while (message := self._outgoing.get()) is not None:
            try:
                self._channel.send(message)
            except OSError:
                return  # its end is noticed by whoever receives
        self._channel.close()


def _ready_process(command: WorkerCommand) -> subprocess.Popen[bytes] | ForkedProcess | None:
    """A process that imported before it was asked for, if one can be had."""
    if command.env or command.argv != WORKER_ARGV:
        return None
    return take_spare(command.argv) or fork_worker()


def start_process(argv: tuple[str, ...], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a worker in a process group of its own, so that Ctrl-C reaches the session only. Raises OutsideError."""
    try:
        return subprocess.Popen(  # noqa: S603 - the session's own command
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env} if env else None,
            process_group=0 if sys.platform != "win32" else None,
        )
    except OSError as error:
        raise OutsideError(f"A worker process cannot be started: {error.strerror} ({argv[0]}).") from error
