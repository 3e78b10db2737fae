"""A session whose worker processes are on the nodes of a Ray cluster."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flowyard
from flowyard.errors import FlowyardError, OutsideError
from flowyard.flows.model import Flow
from flowyard.records import AggregationResult, LineTask
from flowyard.sessions.cluster.actor import ActorSetup, LineActor
from flowyard.sessions.cluster.archive import pack_folder
from flowyard.sessions.cluster.carried import carried
from flowyard.sessions.cluster.driver import ClusterDriver
from flowyard.sessions.cluster.node_rules import opener_shared_by, this_machine
from flowyard.sessions.cluster.parts import delete_parts, make_place, require_storage
from flowyard.sessions.cluster.ray_cluster import (
    count_machines,
    import_ray,
    join_cluster,
    require_address,
    require_cpus,
)
from flowyard.sessions.cluster.remote import RemoteProcess, first_line
from flowyard.sessions.driver import LineDriver
from flowyard.sessions.environments.worker_environment import WorkerCommand
from flowyard.sessions.pool import Hand, OnMessage, PooledSession, Process
from flowyard.sessions.session import Concurrency, LineSink, Place, Session, SessionRequest, StoredLines

__all__ = ["RaySession", "RaySessions"]

_COUNT_EVERY_S = 2.0
_MOST_TRIES = 10
"""How often the first worker may go away before it is ready; actors that were free may have gone unnoticed."""


@dataclass(frozen=True, slots=True)
class RaySessions:
    """Opens sessions of up to ``workers`` workers on the cluster at ``address`` (None: a running one, else our own).

    Workers store their lines at the URL ``storage``, or in the run's folder, which all nodes then have to share.
    ``actors`` are those that no session uses now; they end with this process.
    """

    workers: int
    address: str | None = None
    storage: str | None = None
    actors: list[Any] = field(default_factory=list)

    @classmethod
    def checked(cls, workers: int, address: str | None, storage: str | None) -> RaySessions:
        """From what a person gave. Raises UserError for what cannot be used, ExtraMissing without Ray."""
        import_ray()
        return cls(workers, address and require_address(address), storage and require_storage(storage))

    def __call__(self, request: SessionRequest) -> Session:
        """A session of workers on the cluster. Raises OutsideError, ExtraMissing, UserError."""
        ray = join_cluster(self.address, self.workers)
        return RaySession(request, self.workers, ray, self.storage, self.actors)


class RaySession(PooledSession):
    """As on one machine, with workers that may go away together with their nodes.

    One worker is started at first, the others when there are lines for them.
    """

    def __init__(self, request: SessionRequest, workers: int, ray: Any, storage: str | None, actors: list[Any]) -> None:
        self._storage = storage
        self._free_actors = actors
        self._run: Path | None = None
        self._parts = ""
        self._all_told = False
        self._begun: set[Hand] = set()
        workers = min(workers, request.most_at_once)
        cpus = require_cpus(ray)
        packed = pack_folder(request.flow.folder)
        self._said = _about(packed.left_out, workers, cpus)
        self._workers_to_start = min(workers, cpus)
        self._archive = ray.put(packed.data)
        self._setup = _setup(request, count_machines(ray))
        self._new_actor = ray.remote(LineActor).options(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD").remote
        super().__init__(request, 1)

    # Workers

    def new_process(self, command: WorkerCommand, box: Path, on_message: OnMessage) -> Process:
        del command  # is for processes of this machine
        worker = uuid.uuid4().hex
        actor = self._free_actors.pop() if self._free_actors else self._new_actor()
        started = actor.start.remote(replace(self._setup, worker=worker), self._archive)
        return RemoteProcess(
            actor,
            started,
            worker,
            self._parts,
            box,
            on_message,
            on_unable=self._unable,
            on_free=self._free_actors.append,
        )

    def new_driver(self, *arguments: Any) -> LineDriver:
        return ClusterDriver(*arguments)

    def hand_ended(self, hand: Hand, how: str) -> None:
        """A worker process ended, asked or not, or went away with its node."""
        if not _process(hand).lost:
            super().hand_ended(hand, how)
            return
        if self._closing or hand not in self._hands:
            return
        self._hands.remove(hand)
        driver = self._lines
        if driver is None:
            return
        driver.hand_lost(hand, how)
        try:
            if not driver.is_over or self._ready.aggregates:
                self._let_begin(self._start())
        except Exception as error:  # the whole cluster may be gone
            driver.fail(OutsideError(f"The cluster starts no more workers: {first_line(error)}."))

    def _unable(self, process: RemoteProcess, error: FlowyardError) -> None:
        """A node cannot do what the run needs."""
        hand = next((hand for hand in self._hands if hand.process is process), None)
        if hand is not None and not hand.prepared.done():
            hand.prepared.set_exception(error)
            hand.prepared.exception()  # whoever waits gets it
        if self._driver is not None:
            self._driver.fail(error)

    async def _began(self, hand: Hand) -> None:
        await super()._began(hand)
        if hand in self._hands and hand.prepared.done() and not hand.prepared.exception():
            self._begun.add(hand)

    # What a session does

    async def ready(self) -> Flow:
        for tries_left in reversed(range(_MOST_TRIES)):
            hand = self._hands[0] if self._hands else self._start()
            try:
                flow = await super().ready()
            except OutsideError:
                if not _process(hand).lost or not tries_left:
                    raise
            else:
                self._said = (*self._said, *super().warnings)
                return flow
        raise AssertionError("the last try raises")

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._said))

    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        self._run = place.media.parent
        self._parts = await asyncio.to_thread(make_place, self._run, self._storage)
        self._workers = self._workers_to_start
        for hand in self._hands:
            _process(hand).parts = self._parts
        counting = asyncio.create_task(self._count_workers())
        try:
            await super().run_lines(tasks, sink, place=place, concurrency=concurrency)
            self._all_told = True
        finally:
            counting.cancel()

    async def _count_workers(self) -> None:
        """Lines at once are shared by the workers that have a place; those that wait for a free CPU get none."""
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            if self._lines is not None:
                self._lines.expect_workers(sum(_process(hand).counts for hand in self._hands))

    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        if self._ready.aggregates:
            await self._leave_waiting_ones()
        return await super().run_aggregation(stored)

    async def _leave_waiting_ones(self) -> None:
        """Go on without workers that still wait for a place; when no other is left, wait for one."""
        if not self._hands:
            self._let_begin(self._start())
        while self._starting and not self._begun.intersection(self._hands):
            await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)
        for hand in [hand for hand in self._hands if hand not in self._begun]:
            self._hands.remove(hand)
            hand.prepared.cancel()
            await hand.process.wait(0)

    async def close(self) -> None:
        if self._closing:
            return
        await super().close()
        if self._all_told and self._run is not None:
            await asyncio.to_thread(delete_parts, self._run)

    @property
    def _lines(self) -> ClusterDriver | None:
        assert self._driver is None or isinstance(self._driver, ClusterDriver)
        return self._driver


def _process(hand: Hand) -> RemoteProcess:
    assert isinstance(hand.process, RemoteProcess)
    return hand.process


def _setup(request: SessionRequest, machines: int) -> ActorSetup:
    """What every worker begins with; its name is still missing."""
    flow = replace(request.flow, keep=None, folder=request.flow.folder.resolve(), file=request.flow.file.resolve())
    opener = opener_shared_by(request.open_provider, machines)
    travels = replace(request, flow=flow, connections=carried(request.connections), open_provider=opener)
    pickled = pickle.dumps(travels, pickle.HIGHEST_PROTOCOL)
    return ActorSetup(pickled, "", request.line_timeout_s, flowyard.__version__, this_machine())


def _about(left_out: tuple[str, ...], workers: int, cpus: int) -> tuple[str, ...]:
    """What a person should know before lines run."""
    said = [f"{name}: a link that points outside of the flow's folder is not sent to the cluster." for name in left_out]
    if cpus < workers:
        said.append(f"The cluster has {cpus} CPUs for {workers} workers: {cpus} of them run.")
    return tuple(said)
