"""A worker process on a node of the cluster, as the session sees it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flowyard.errors import FlowyardError
from flowyard.sessions.black_box import write_black_box
from flowyard.sessions.cluster.actor import Running
from flowyard.sessions.cluster.parts import finished_line, number_of, read_part
from flowyard.sessions.messages import Message
from flowyard.sessions.pool import OnMessage
from flowyard.sessions.session import FinishedLine

__all__ = ["RemoteProcess", "first_line"]

_LONGEST_PLACING_S = 20.0


class RemoteProcess:
    """``actor`` runs the process, which goes by the name ``worker``. ``box`` takes what it tells of lines that run;
    ``parts`` is where it stores lines.

    ``lost`` says whether it went away with its actor or node, so that nobody knows which lines ran. ``on_unable`` is
    called when its node cannot do what the run needs, ``on_free`` with the actor when the process ended and another one
    can be started there.
    """

    def __init__(
        self,
        actor: Any,
        started: Any,
        worker: str,
        parts: str,
        box: Path,
        on_message: OnMessage,
        *,
        on_unable: Callable[[RemoteProcess, FlowyardError], None],
        on_free: Callable[[Any], None],
    ) -> None:
        self.lost = False
        self.parts = parts
        self._actor = actor
        self._worker = worker
        self._box = box
        self._on_message = on_message
        self._on_unable = on_unable
        self._on_free = on_free
        self._how = "its node or its actor went away"
        self._outgoing: list[Message] = []
        self._open: set[int] = set()
        self._is_placed = False
        self._began_s = time.monotonic()
        self._any = asyncio.Event()
        self._gone = asyncio.Event()
        self._tasks = [asyncio.create_task(self._receive(started)), asyncio.create_task(self._send())]

    def send(self, message: Message) -> None:
        """Send a message in the background; lost when the process ends."""
        if message[0] == "begin":
            _, place, _, limit = message
            message = ("begin", place, limit, self.parts)
        elif message[0] == "lines":
            self._open.update(number for number, *_ in message[1])
        self._outgoing.append(message)
        self._any.set()

    def end(self) -> None:
        """Ask the process to end."""
        self.send(("end",))

    def kill(self) -> None:
        """End the process at once."""
        self.send(("kill",))

    def ending(self) -> str:
        """How the process ended, for a person; it must have."""
        return self._how

    @property
    def counts(self) -> bool:
        """Whether it has a place on a node, or is likely to get one soon."""
        return self._is_placed or time.monotonic() - self._began_s < _LONGEST_PLACING_S

    async def wait(self, longest_s: float) -> None:
        """Wait for the end of the process, then end its actor; sooner when that takes longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), longest_s if self._is_placed else 0)
        if not self._gone.is_set():
            self._drop()
        self._stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _drop(self) -> None:
        """End the actor at once, and with it the process."""
        import ray  # noqa: PLC0415 - heavy, and only runs on a cluster need it

        with contextlib.suppress(Exception):  # it is gone already, or the cluster is
            ray.kill(self._actor)

    async def _send(self) -> None:
        """One batch after the other, so that messages arrive in order."""
        while True:
            await self._any.wait()
            self._any.clear()
            messages, self._outgoing = self._outgoing, []
            try:
                await self._actor.send.remote(self._worker, messages)
            except Exception:  # whoever receives finds out why
                return

    async def _receive(self, started: Any) -> None:
        try:
            await started
            self._is_placed = True
            while not self._gone.is_set():
                self._take(await self._actor.receive.remote())
                if self.lost:
                    await self._lose()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # Ray has a tree of errors of its own, and passes on those of the actor
            self._how = first_line(error)
            await self._lose()

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            match message:
                case ("unable", error):
                    self._on_unable(self, error)
                case ("box", running):
                    self._note(running)
                case ("gone", how, running):
                    self._note(running)
                    self._how = how
                    self._on_free(self._actor)  # first, so that the next process takes this place
                    self._end()
                case ("swept", how):
                    self._how, self.lost = how, True
                case ("lines", lines):
                    self._open.difference_update(line.line_number for line in lines)
                    self._on_message(self, message)
                case _:
                    self._on_message(self, message)

    def _note(self, running: Sequence[Running]) -> None:
        now_s = time.monotonic()
        with contextlib.suppress(FileNotFoundError):  # the session is closed
            write_black_box(self._box, ((number, now_s - passed_s) for number, passed_s in running))

    async def _lose(self) -> None:
        """The actor went away; lines that it stored but did not tell of have ended all the same."""
        self.lost = True
        self._drop()
        with contextlib.suppress(Exception):  # storage of any kind may say anything; they are run again then
            lines = await asyncio.to_thread(self._stored)
            if lines:
                self._on_message(self, ("lines", lines))
        self._end()

    def _stored(self) -> list[FinishedLine]:
        if not self._open:
            return []
        raws = [raw for raw in read_part(self.parts, self._worker) if number_of(raw) in self._open]
        return [finished_line(raw) for raw in raws]

    def _end(self) -> None:
        self._gone.set()
        self._stop()
        self._on_message(self, None)


def first_line(error: Exception) -> str:
    """What an error of Ray says, without its report over many lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].rstrip('.') if lines else ''}"
