"""What a session is: one flow, ready to run lines somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from flowyard.abc import Provider
from flowyard.flows.model import Flow
from flowyard.llm.connection import Connection
from flowyard.llm.connections import Connections
from flowyard.media.urls import UrlRules
from flowyard.records import AggregationResult, ErrorRecord, LineStatus, LineTask, Usage

__all__ = [
    "Concurrency",
    "FinishedLine",
    "FixedConcurrency",
    "LimitSeen",
    "LineSink",
    "Place",
    "Session",
    "SessionRequest",
    "StoredLines",
]


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A flow to make ready, and what it stands on; ``init`` are the arguments of a flow that is a class.

    ``most_at_once`` bounds the lines that run at once. ``line_timeout_s`` ends a line that takes longer. Secrets may be
    inside: a request is never logged or written to disk.
    """

    flow: Flow
    connections: Connections
    open_provider: Callable[[Connection], Provider]
    init: Mapping[str, Any] = field(default_factory=dict)
    urls: UrlRules = UrlRules()
    most_at_once: int = 16
    line_timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the lines of a run belong: ``media`` takes the pictures of results, and relative paths of pictures in the
    data start from ``data_folder`` (None: from the flow's). Data that came ``from_network`` may name no files at all.
    """

    media: Path
    data_folder: Path | None = None
    from_network: bool = False


class LimitSeen(NamedTuple):
    """Which limit of lines at once was in force, by its number, when a line ``began`` and when it ``ended``.

    ``earlier_left`` are the lines that still ran in the same process then and had begun before the limit was set.
    """

    began: int = 0
    ended: int = 0
    earlier_left: int = 0


class FinishedLine(NamedTuple):
    """A line that ended, as the process that ran it tells it.

    ``text`` is the line of ``lines.jsonl`` without its line end. ``error`` says why it failed.
    """

    line_number: int
    status: LineStatus
    text: bytes
    duration_s: float
    usage: Usage
    error: ErrorRecord | None = None
    limit_seen: LimitSeen = LimitSeen()


LineSink = Callable[[Sequence[FinishedLine]], None]
"""Takes lines soon after they ended, some at a time and in no fixed order."""


class Concurrency(Protocol):
    """How many lines may run at once, now. It is told of each line that ends and may change its mind."""

    @property
    def limit(self) -> int:
        """At least 1."""

    @property
    def number(self) -> int:
        """How often the limit was set. Lines are told apart by the number that was in force when they began."""

    def line_ended(self, duration_s: float, refused: int, now_s: float, began: int, earlier_left: int) -> None:
        """A line took ``duration_s``, and its model calls were refused that often; ``now_s`` is a monotonic time.

        It ``began`` under the limit of that number. ``earlier_left`` lines still run that began before the present one.
        """


@dataclass(frozen=True, slots=True)
class FixedConcurrency:
    """Always the same number of lines."""

    limit: int
    number: ClassVar[int] = 0

    def line_ended(self, duration_s: float, refused: int, now_s: float, began: int, earlier_left: int) -> None:
        """Nothing changes."""


StoredLines = Callable[[frozenset[int]], Iterable[bytes]]
"""The completed lines of a run as ``lines.jsonl`` has them, but for those with the given numbers."""


class Session(ABC):
    """One flow in the place where its lines run. Opened by starting it, then made ready; close it when done."""

    @abstractmethod
    async def ready(self) -> Flow:
        """Wait until the flow is prepared; returns it with what its code declares. Raises UserError, OutsideError."""

    @property
    @abstractmethod
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the prepared flow."""

    @abstractmethod
    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        """Run every line. ``tasks`` is read only as there is room to run more, and no further after an error."""

    @abstractmethod
    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        """Aggregate the completed lines: what is still held of those that ran here, and the others as ``stored``."""

    @abstractmethod
    async def last_words(self) -> tuple[Usage, tuple[str, ...]]:
        """Model calls that belong to no line, and warnings that only show after lines ran."""

    @abstractmethod
    async def close(self) -> None:
        """End it. Lines that still run are given up. Safe to call again."""
