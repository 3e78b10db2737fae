"""The main program of a worker process, with messages on its pipes; ``worker_start`` runs it.

What the flow prints goes to standard error, as the pipes of messages are hidden from it. The process ends when the
session that started it is gone.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import gc
import json
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard._util.end_with import end_with
from flowyard._util.files import dump_json
from flowyard._util.worker_command import ASKS_MODELS
from flowyard.engine.prepare import prepare
from flowyard.engine.runner import LineRunner
from flowyard.errors import FlowyardError
from flowyard.flows.model import Input
from flowyard.records import AggregationResult, LineTask
from flowyard.sessions.black_box import BlackBox
from flowyard.sessions.crew import Crew, LoopCrew, ThreadCrew
from flowyard.sessions.line_worker import LineWorker
from flowyard.sessions.messages import FEW_AT_ONCE, Channel, Message, Prepared
from flowyard.sessions.session import FinishedLine, Place, SessionRequest

__all__ = ["main"]

_TELL_EVERY_S = 0.004
"""Lines that end within this time are told of in one message."""


class _Outbox:
    """Tells of finished lines, many in one message."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lines: list[FinishedLine] = []
        self._whole = threading.Lock()

    def flush(self) -> None:
        """Tell of all lines now."""
        with self._whole:
            lines, self._lines = self._lines, []
            if lines:
                self._channel.send(("lines", lines))

    def _flush_or_end(self) -> None:
        try:
            self.flush()
        except OSError:
            os._exit(1)  # nobody listens any more
        except BaseException:
            _give_up()


class _LoopOutbox(_Outbox):
    """For lines that end on the event loop: no thread wakes up beside it, which every model call would wait for."""

    def __init__(self, channel: Channel, every_s: float) -> None:
        super().__init__(channel)
        self._every_s = every_s
        self._is_due = False

    def put(self, line: FinishedLine) -> None:
        """Tell of a line soon."""
        self._lines.append(line)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(self._every_s, self._tell)

    def _tell(self) -> None:
        self._is_due = False
        self._flush_or_end()


class _ThreadOutbox(_Outbox):
    """For lines that end in any thread; ``watch`` is called each time it looks."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._any = threading.Event()
        self.watch: Callable[[], None] | None = None
        threading.Thread(target=self._work, name="flowyard-outbox", daemon=True).start()

    def put(self, line: FinishedLine) -> None:
        """Tell of a line soon."""
        self._lines.append(line)
        self._any.set()

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            self._any.wait(None if self.watch is None else 0.1)
            pause.wait(_TELL_EVERY_S)
            self._any.clear()
            if self.watch is not None:
                self.watch()
            self._flush_or_end()


class _Worker:
    """One flow in this process, doing what the session says."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._outbox: _Outbox | None = None
        self._waiting: collections.deque[LineTask] = collections.deque()
        self._request: SessionRequest | None = None
        self._runner: LineRunner | None = None
        self._lines: LineWorker | None = None
        self._crew: Crew | None = None
        self._folder: Path | None = None
        self._does: Mapping[str, Callable[..., Awaitable[None]]] = {
            "variables": self._take_variables,
            "prepare": self._prepare,
            "begin": self._begin,
            "lines": self._add,
            "limit": self._limit,
            "hand over": self._hand_over,
            "aggregate": self._aggregate,
            "last words": self._last_words,
        }

    async def serve(self, inbox: asyncio.Queue[Message | None]) -> None:
        """Do what each message says until the last."""
        while (message := await inbox.get()) is not None and message[0] != "end":
            await self._does[message[0]](*message[1:])
        if self._runner is not None:
            await self._runner.close()

    async def _take_variables(self, variables: Mapping[str, str]) -> None:
        """Take over what the environment here does not say itself, but for paths that are not here."""
        for name, value in variables.items():
            if name not in os.environ and not _is_elsewhere(value):
                os.environ[name] = value

    async def _prepare(self, pickled: bytes) -> None:
        try:
            request: SessionRequest = pickle.loads(pickled)  # noqa: S301 - from the session that started us
            runner = await prepare(
                request.flow,
                request.connections,
                request.open_provider,
                init=request.init,
                threads=max(16, request.most_at_once),
                urls=request.urls,
            )
        except FlowyardError as error:
            self._channel.send(("refused", error))
            return
        finally:
            gc.enable()
        self._request, self._runner = request, runner
        flow = runner.flow
        aggregates = runner.aggregation_inputs().is_needed
        inputs, outputs = _tellable(flow.inputs), dict(flow.outputs)
        self._channel.send(("prepared", Prepared(inputs, outputs, runner.warnings, aggregates)))

    async def _begin(self, place: Place, box: Path, limit: int) -> None:
        assert self._runner is not None
        assert self._request is not None
        self._lines = LineWorker(self._runner, place)
        self._folder = place.data_folder
        self._outbox, self._crew = self._new_crew(box)
        await self._limit(limit, 0)

    def _new_crew(self, box: Path) -> tuple[_Outbox, Crew]:
        assert self._request is not None
        assert self._lines is not None
        timeout_s = self._request.line_timeout_s
        slots = BlackBox(box, 2 * self._request.most_at_once + 64)
        if not self._lines.runner.runs_plainly:
            outbox = _LoopOutbox(self._channel, 0.0 if self._request.most_at_once <= FEW_AT_ONCE else _TELL_EVERY_S)
            return outbox, LoopCrew(self._lines, self._take, outbox.put, line_timeout_s=timeout_s, box=slots)
        told = _ThreadOutbox(self._channel)
        crew = ThreadCrew(self._lines, self._take, told.put, line_timeout_s=timeout_s, box=slots)
        if timeout_s is not None:
            told.watch = crew.watch
        return told, crew

    def _take(self) -> LineTask | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    async def _add(self, tasks: list[tuple[Any, ...]]) -> None:
        self._waiting.extend(LineTask(number, inputs, error, self._folder) for number, inputs, error in tasks)
        assert self._crew is not None
        self._crew.poke()

    async def _limit(self, limit: int, number: int) -> None:
        assert self._crew is not None
        self._crew.set_limit(limit, number)
        self._crew.poke()

    async def _hand_over(self) -> None:
        pieces = list(self._lines.hand_over()) if self._lines else []
        self._channel.send(("kept", pieces))

    async def _aggregate(self, others: list[bytes], stored: list[bytes]) -> None:
        assert self._lines is not None
        result = await self._lines.aggregate(others, stored)
        self._channel.send(("aggregated", _tellable_aggregation(result)))

    async def _last_words(self) -> None:
        assert self._runner is not None
        if self._outbox is not None:
            self._outbox.flush()
        self._channel.send(("last words", self._runner.unclaimed_usage, self._runner.late_warnings()))


def _is_elsewhere(value: str) -> bool:
    """Whether a variable names a file or folder that is not here."""
    first = value.partition(os.pathsep)[0]
    return first.startswith("/") and not Path(first).exists()


def _tellable(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """Inputs whose defaults may be objects of the flow's own classes, which the session cannot load: as text."""
    return {
        name: each if each.required else replace(each, default=json.loads(dump_json(each.default)))
        for name, each in inputs.items()
    }


def _tellable_aggregation(result: AggregationResult) -> AggregationResult:
    """The result without objects of the flow's own classes."""
    return replace(result, metrics=json.loads(dump_json(result.metrics)), nodes=())


def main() -> None:
    """Serve the session at the other end of standard input and output."""
    end_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's to answer
    channel = _own_channel()
    loop = asyncio.new_event_loop()
    inbox: asyncio.Queue[Message | None] = asyncio.Queue()
    asked = threading.Event()
    threading.Thread(target=_receive, args=(channel, loop, inbox, asked), name="flowyard-inbox", daemon=True).start()
    asyncio.set_event_loop(loop)
    try:
        _look_ahead(asked)
        loop.run_until_complete(_Worker(channel).serve(inbox))
    except BaseException:
        _give_up()
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()  # what the flow's code asked for
    os._exit(0)  # threads that still run are not waited for


def _give_up() -> None:
    """End at once, whatever threads still run: the session then knows, and runs the lines elsewhere."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def _own_channel() -> Channel:
    """The pipes of messages, moved to where code that reads or prints does not find them."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(_hide, incoming.fileno(), outgoing.fileno()))
    return Channel(incoming, outgoing)


def _hide(*pipes: int) -> None:
    """In a process forked by the flow's code: it would speak for this one, and keep its end from being noticed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in pipes:
        os.dup2(nothing, pipe, inheritable=False)
    os.close(nothing)


_ALWAYS = ("flowyard.engine.dag", "flowyard.engine.nodes.python")
_FOR_MODELS = ("flowyard.engine.nodes.llm", "flowyard.llm.providers.openai_wire")


def _look_ahead(asked: threading.Event) -> None:
    """Use the time until the session asks for something, which it does once it has been imported itself."""
    for module in (*_ALWAYS, *(_FOR_MODELS if os.environ.pop(ASKS_MODELS, "") else ())):
        if asked.is_set():
            return
        import_module(module)


def _receive(
    channel: Channel, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Message | None], asked: threading.Event
) -> None:
    while True:
        message = channel.receive()
        asked.set()
        if message is None:
            os._exit(1)  # the session is gone, and with it whoever wanted these lines
        loop.call_soon_threadsafe(inbox.put_nowait, message)
        if message[0] == "end":
            return
