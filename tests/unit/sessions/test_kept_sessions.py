"""Which sessions wait for the next run of their flow, and which go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flowyard.flows.model import FlexFlow, Flow
from flowyard.records import AggregationResult, LineTask, Usage
from flowyard.sessions.kept import KeptSessions
from flowyard.sessions.session import Concurrency, LineSink, Place, Session, SessionRequest, StoredLines


class Prepared(Session):
    """A session that is ready at once."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.is_closed = False

    async def ready(self) -> Flow:
        return self.flow

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        """Nothing."""

    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        raise NotImplementedError

    async def last_words(self) -> tuple[Usage, tuple[str, ...]]:
        return Usage(), ()

    async def close(self) -> None:
        self.is_closed = True


def request(name: str) -> SessionRequest:
    folder = Path(name)
    flow = FlexFlow(name=name, file=folder / "flow.flex.yaml", folder=folder, entry="code:main", where=name)
    return SessionRequest(flow, None, None)  # type: ignore[arg-type]


class Opened:
    """Uses flows through sessions that are kept, and remembers which were opened."""

    def __init__(self) -> None:
        self.sessions: list[Prepared] = []
        self.kept = KeptSessions(self.open)

    def open(self, request: SessionRequest) -> Session:
        self.sessions.append(Prepared(request.flow))
        return self.sessions[-1]

    async def use(self, name: str) -> None:
        session = self.kept(request(name))
        await session.ready()
        await session.close()

    @property
    def waiting(self) -> int:
        return sum(not session.is_closed for session in self.sessions)


async def test_versions_and_evaluators_of_an_experiment_are_prepared_once():
    opened = Opened()
    versions = [f"version {number}" for number in range(8)]
    for _dataset in range(2):
        for name in versions:
            for each in (name, "grader", "judge"):
                await opened.use(each)
    assert len(opened.sessions) == 10
    await opened.kept.close()
    assert opened.waiting == 0


async def test_of_many_versions_some_wait_for_the_next_dataset():
    """They come in the same order each time, so that the one that waited longest is the next one."""
    opened = Opened()
    versions = [f"version {number}" for number in range(20)]
    for name in versions:
        await opened.use(name)
        await opened.use("grader")
        assert opened.waiting <= 12
    first = len(opened.sessions)
    assert first == 21
    for name in versions:
        await opened.use(name)
        await opened.use("grader")
    assert len(opened.sessions) - first == 20 - 11
    await opened.kept.close()
    assert opened.waiting == 0
