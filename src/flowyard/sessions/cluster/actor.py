"""An actor of the cluster: starts a worker process on its node and passes messages on, after storing finished lines.

The process is the same one that runs lines on a single machine, so that a crash of the flow's code, a line that takes
too long and what is told of either are the same too; it ends with its actor. Messages are those of
``sessions/messages.py``. The actor adds its own:

    ("box", [(number, seconds since it began), …])       lines that are past their time
    ("gone", how, [(number, seconds), …])                the process ended while it ran these
    ("swept", how)                                       somebody ended the process, or this node is about to end
    ("unable", error)                                    this node cannot do it; the run ends
"""

from __future__ import annotations

import asyncio
import os
import pickle
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import flowyard
from flowyard.errors import FlowyardError, OutsideError
from flowyard.sessions.black_box import read_black_box
from flowyard.sessions.cluster.archive import unpack_folder
from flowyard.sessions.cluster.node_folder import NodeFolder
from flowyard.sessions.cluster.node_rules import opener_on_node
from flowyard.sessions.cluster.parts import PartWriter, open_part
from flowyard.sessions.environments.worker_environment import WorkerCommand
from flowyard.sessions.messages import Message
from flowyard.sessions.process import WorkerProcess
from flowyard.sessions.session import Place, SessionRequest

__all__ = ["ActorSetup", "LineActor", "Running"]

Running = tuple[int, float]
"""A line's number, and for how many seconds it has been running. Clocks of machines differ, so no times are sent."""

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class ActorSetup:
    """What an actor begins with. ``request`` is pickled and may hold secrets: it stays in memory.

    ``worker`` names its parts. ``version`` is that of flowyard on the ``machine`` that drives the run.
    """

    request: bytes
    worker: str
    line_timeout_s: float | None
    version: str
    machine: str


class LineActor:
    """One worker process after the other on a node. All methods run on the actor's event loop."""

    def __init__(self) -> None:
        self._outgoing: list[Message] = []
        self._any = asyncio.Event()
        self._folder: NodeFolder | None = None
        self._process: WorkerProcess | None = None
        self._part: PartWriter | None = None
        self._worker = ""
        self._is_told_to_kill = False
        self._node = os.getppid()
        self._watch: asyncio.Task[None] | None = None

    async def start(self, setup: ActorSetup, archive: bytes) -> None:
        """Unpack the flow's folder and start the worker process, which prepares the flow; the one before has ended."""
        self._worker = setup.worker
        self._process = self._part = None
        self._is_told_to_kill = False
        try:
            _require_same_version(setup.version)
            self._folder = NodeFolder()
            self._box.touch()
            request = await asyncio.to_thread(_placed, setup.request, archive, self._folder.path, setup.machine)
        except (FlowyardError, OSError) as error:
            self._tell(("unable", _outside(error)))
            return
        self._process = WorkerProcess(WorkerCommand(), self._on_message)
        self._process.send(("prepare", request))
        if setup.line_timeout_s is not None:
            self._watch = asyncio.create_task(self._tell_of_late(setup.line_timeout_s))

    async def send(self, worker: str, messages: Sequence[Message]) -> None:
        """Messages for the worker process of that name, in order."""
        for message in messages:
            process = self._process
            if process is None or worker != self._worker:  # they are for one that has ended
                return
            match message:
                case ("kill",):
                    self._is_told_to_kill = True
                    process.kill()
                case ("end",):
                    process.end()
                case ("begin", place, limit, parts):
                    await self._open_part(parts)
                    process.send(("begin", self._on_node(place), self._box, limit))
                case _:
                    process.send(message)

    @property
    def _box(self) -> Path:
        assert self._folder is not None
        return self._folder.path / "box"

    async def receive(self) -> list[Message]:
        """Wait for messages of the worker process. Lines among them are in a part by then."""
        await self._any.wait()
        messages, self._outgoing = self._outgoing, []
        self._any.clear()
        texts = [line.text for message in messages if message[0] == "lines" for line in message[1]]
        if texts and self._part is not None:
            try:
                await asyncio.to_thread(self._part.write, texts)
            except Exception as error:  # storage of any kind may say anything
                return [("unable", _outside(error))]
        if self._part is not None and messages[-1][0] in ("gone", "swept"):
            self._part.close()
        return messages

    async def _open_part(self, parts: str) -> None:
        try:
            self._part = await asyncio.to_thread(open_part, parts, self._worker)
        except Exception as error:  # storage of any kind may say anything
            self._tell(("unable", _outside(error)))

    def _on_node(self, place: Place) -> Place:
        """The place of results; a node that does not see it must not write pictures where nobody finds them."""
        if place.media.parent.is_dir():
            return place
        return replace(place, media=self._box / "this node does not see the folder of the run")

    def _on_message(self, process: WorkerProcess, message: Message | None) -> None:
        if message is not None:
            self._tell(message)
            return
        running = self._running()
        self._process = None
        if self._watch is not None:
            self._watch.cancel()
        if self._folder is not None:
            self._folder.delete()
        if self._is_swept(process):
            self._tell(("swept", process.ending()))
        else:
            self._tell(("gone", process.ending(), running))

    def _is_swept(self, process: WorkerProcess) -> bool:
        """Whether no line is to blame. Ray kills the children of an actor whose node ends, just before the actor."""
        return not self._is_told_to_kill and (process.was_killed or os.getppid() != self._node)

    def _tell(self, message: Message) -> None:
        self._outgoing.append(message)
        self._any.set()

    def _running(self) -> list[Running]:
        now_s = time.monotonic()
        return [(number, now_s - began_s) for number, began_s in read_black_box(self._box)]

    async def _tell_of_late(self, limit_s: float) -> None:
        """Tell which lines are past their time and whose code never lets go: whoever drives the run ends us then."""
        told: set[int] = set()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            late = [each for each in self._running() if each[1] > limit_s]
            if late and not told.issuperset(number for number, _ in late):
                told = {number for number, _ in late}
                self._tell(("box", late))


def _placed(pickled: bytes, archive: bytes, parent: Path, driven_from: str) -> bytes:
    """The request with the flow where it is on this node, below ``parent``."""
    request: SessionRequest = pickle.loads(pickled)  # noqa: S301 - from whoever drives the run, over Ray
    flow = request.flow
    folder = parent / "flow" / flow.folder.name
    unpack_folder(archive, folder)
    inside = flow.file.is_relative_to(flow.folder)  # a flow's code may be in another folder than its file
    file = folder / (flow.file.relative_to(flow.folder) if inside else flow.file.name)
    opener = opener_on_node(request.open_provider, driven_from)
    placed = replace(request, flow=replace(flow, folder=folder, file=file), open_provider=opener)
    return pickle.dumps(placed, pickle.HIGHEST_PROTOCOL)


def _require_same_version(wanted: str) -> None:
    if flowyard.__version__ != wanted:
        raise OutsideError(
            f"Node {platform.node()} has flowyard {flowyard.__version__}, and the run is driven by {wanted}.",
            hint=f"Install the same on every node: pip install flowyard=={wanted}",
        )


def _outside(error: Exception) -> FlowyardError:
    if isinstance(error, FlowyardError):
        return error
    return OutsideError(f"Node {platform.node()} cannot store lines: {error}.", hint="See --storage.")
