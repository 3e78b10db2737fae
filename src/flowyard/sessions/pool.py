"""A session of worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from flowyard.errors import FlowyardError, OutsideError
from flowyard.flows.includes import lost_files
from flowyard.flows.model import Flow
from flowyard.records import AggregationResult, ErrorRecord, LineTask, Usage
from flowyard.sessions.driver import LineDriver
from flowyard.sessions.encoding import LineEncoder
from flowyard.sessions.environments.current import open_current
from flowyard.sessions.environments.worker_environment import WorkerCommand, WorkerEnvironment
from flowyard.sessions.messages import Message, Prepared
from flowyard.sessions.process import WorkerProcess
from flowyard.sessions.session import (
    Concurrency,
    FinishedLine,
    LineSink,
    Place,
    Session,
    SessionRequest,
    StoredLines,
)
from flowyard.settings import inherited_environment

__all__ = ["Hand", "OnMessage", "PooledSession", "Process"]

_LONGEST_END_S = 5.0


class Process(Protocol):
    """A worker process, on this machine or on another."""

    def send(self, message: Message) -> None:
        """Send a message in the background; lost when the process ends."""

    def end(self) -> None:
        """Ask the process to end."""

    def kill(self) -> None:
        """End the process at once."""

    def ending(self) -> str:
        """How the process ended, for a person; it must have."""

    async def wait(self, longest_s: float) -> None:
        """Wait for the end of the process, and kill it when it takes longer."""


OnMessage = Callable[[Any, Message | None], None]
"""Called on the event loop with a process and each message of it, and with None at its end."""


class Hand:
    """One worker process of the session, and the answers that are waited for."""

    def __init__(self, session: PooledSession, box: Path) -> None:
        self.box = box
        self.prepared: asyncio.Future[Prepared] = asyncio.get_running_loop().create_future()
        self.held: set[int] = set()
        self._session = session
        self._answers: dict[str, asyncio.Future[tuple[Any, ...]]] = {}
        self.command = session.environment.command()
        self.process = session.new_process(self.command, box, self._on_message)

    def run(self, tasks: list[LineTask]) -> None:
        self.process.send(("lines", [(task.line_number, task.inputs, task.error) for task in tasks]))

    def set_limit(self, limit: int, number: int) -> None:
        self.process.send(("limit", limit, number))

    def kill(self) -> None:
        self.process.kill()

    async def ask(self, *message: Any, answer: str) -> tuple[Any, ...]:
        """Send a message and wait for its answer. Raises OutsideError when the process ends."""
        waited: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()
        self._answers[answer] = waited
        self.process.send(message)
        try:
            return await waited
        finally:
            del self._answers[answer]

    def _on_message(self, process: Process, message: Message | None) -> None:
        if message is None:
            self._ended(process.ending())
            return
        match message:
            case ("lines", lines):
                self._session.lines_ended(self, lines)
            case ("prepared", prepared) if not self.prepared.done():
                self.prepared.set_result(prepared)
            case ("refused", error) if not self.prepared.done():
                self.prepared.set_exception(error)
            case (name, *values) if name in self._answers:
                self._answers[name].set_result(tuple(values))

    def _ended(self, how: str) -> None:
        error = OutsideError(f"The worker process ended: {how}.", hint="What it printed last may say why.")
        waiting: list[asyncio.Future[Any]] = [self.prepared, *self._answers.values()]
        for waited in waiting:
            if not waited.done():
                waited.set_exception(error)
                waited.exception()  # whoever still waits gets it; nobody else needs to
        self._session.hand_ended(self, how)


class PooledSession(Session):
    """``workers`` processes that each prepare the flow and share its lines. Open it inside a running event loop.

    The session closes ``environment``, in which the processes run; without one it is that of this process.
    """

    def __init__(self, request: SessionRequest, workers: int, environment: WorkerEnvironment | None = None) -> None:
        self._request = request
        self._pickled = pickle.dumps(replace(request, flow=replace(request.flow, keep=None)), pickle.HIGHEST_PROTOCOL)
        self._workers = workers
        self._files = tempfile.TemporaryDirectory(prefix="flowyard-session-")
        self.environment = (environment or open_current()).paths_visible([Path(self._files.name)])
        self._count = 0
        self._hands: list[Hand] = []
        self._driver: LineDriver | None = None
        self._begin: tuple[Any, ...] = ()
        self._prepared: Prepared | None = None
        self._closing = False
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        for _ in range(workers):
            self._start()

    def new_process(self, command: WorkerCommand, box: Path, on_message: OnMessage) -> Process:
        """Start a worker process, which prepares the flow; ``box`` is where the lines that it runs are noted."""
        del box  # goes with the message that begins lines
        process = WorkerProcess(command, on_message)
        if not self.environment.inherits_variables:
            process.send(("variables", inherited_environment()))
        process.send(("prepare", self._pickled))
        return process

    def new_driver(self, *arguments: Any) -> LineDriver:
        """What hands out the lines; the arguments are those of LineDriver."""
        return LineDriver(*arguments)

    def _start(self) -> Hand:
        self._count += 1
        box = Path(self._files.name) / f"{self._count}.box"
        box.touch()
        hand = Hand(self, box)
        self._hands.append(hand)
        return hand

    async def ready(self) -> Flow:
        if self._prepared is None:
            self._prepared = await self._hands[0].prepared
        prepared = self._prepared
        return replace(self._request.flow, inputs=prepared.inputs, outputs=prepared.outputs)

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._ready.warnings

    @property
    def _ready(self) -> Prepared:
        assert self._prepared is not None, "the session is not ready"
        return self._prepared

    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        encoder = LineEncoder(place.media, self._request.connections.secrets, self._request.flow.message_format)
        driver = self.new_driver(tasks, sink, concurrency, encoder.finished, self._request.line_timeout_s)
        self._driver = driver
        self._begin = (place, max(1, -(-concurrency.limit // self._workers)))
        while len(self._hands) < self._workers:  # some ended after they were ready
            self._start()
        for hand in self._hands:
            hand.held.clear()
            self._let_begin(hand)
        try:
            await driver.run(self._workers)
        finally:
            self._driver = None

    def _let_begin(self, hand: Hand) -> None:
        task = asyncio.create_task(self._began(hand))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _began(self, hand: Hand) -> None:
        place, limit = self._begin
        try:
            await hand.prepared
        except FlowyardError as error:
            if self._driver is not None and not isinstance(error, OutsideError):
                self._driver.fail(error)
            return
        if hand not in self._hands:
            return  # it ended at once
        hand.process.send(("begin", place, hand.box, limit))
        if self._driver is not None:
            self._driver.add(hand)

    def lines_ended(self, hand: Hand, lines: list[FinishedLine]) -> None:
        """A worker tells of lines that ended."""
        if self._ready.aggregates:
            hand.held.update(line.line_number for line in lines if line.status == "completed")
        if self._driver is not None:
            self._driver.lines_ended(hand, lines)

    def hand_ended(self, hand: Hand, how: str) -> None:
        """A worker process ended, asked or not."""
        self._clean_up(hand.command)
        if self._closing or hand not in self._hands:
            return
        self._hands.remove(hand)
        driver = self._driver
        if driver is None:
            return
        driver.hand_ended(hand, how)
        if not driver.is_over or self._ready.aggregates:
            self._let_begin(self._start())

    def _clean_up(self, command: WorkerCommand) -> None:
        """End the container of a worker, which may be running although the program that started it is not."""
        if command.container:
            task = asyncio.create_task(asyncio.to_thread(self.environment.end, command))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        if not self._ready.aggregates:
            return AggregationResult({})
        try:
            return await self._aggregated(stored)
        except OutsideError as error:
            return AggregationResult({}, errors=(ErrorRecord("WorkerCrashed", f"During aggregation: {error.message}"),))

    async def _aggregated(self, stored: StoredLines) -> AggregationResult:
        while self._starting:  # one that took the place of a crashed one
            await asyncio.wait(self._starting)
        if not self._hands:
            raise OutsideError("No worker process is left.")
        first, *others = self._hands
        pieces: list[bytes] = []
        for hand in others:
            (kept,) = await hand.ask("hand over", answer="kept")
            pieces += kept
        held = frozenset().union(*(hand.held for hand in self._hands))
        (result,) = await first.ask("aggregate", pieces, list(stored(held)), answer="aggregated")
        assert isinstance(result, AggregationResult)
        return result

    async def last_words(self) -> tuple[Usage, tuple[str, ...]]:
        usage, warnings = Usage(), dict.fromkeys(lost_files(self._request.flow))
        for hand in list(self._hands):
            if hand.prepared.done() and not hand.prepared.exception():
                with contextlib.suppress(OutsideError):  # a process that ends now has nothing more to say
                    unclaimed, said = await hand.ask("last words", answer="last words")
                    usage += unclaimed
                    warnings |= dict.fromkeys(said)
        return usage, tuple(warnings)

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        hands, self._hands = self._hands, []
        for hand in hands:
            hand.process.end()
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*(hand.process.wait(_LONGEST_END_S) for hand in hands))
        for hand in hands:
            self._clean_up(hand.command)
        await asyncio.gather(*self._ending)
        self.environment.close()
        with contextlib.suppress(OSError):
            self._files.cleanup()
