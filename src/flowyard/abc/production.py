"""Who splits the requests of production, and where its records go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.ab.evidence.model import Split

__all__ = ["RecordSink", "Splitter"]


class Splitter(ABC):
    """What splits the requests among the arms of a test.

    Every change of the weights begins a new epoch; setting what is set already need not. Methods raise OutsideError
    when it cannot be reached or refuses.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """Where it is, without secrets."""

    @abstractmethod
    def weights(self) -> Mapping[str, float]:
        """The weight of each arm now; one without requests has 0 or is missing."""

    @abstractmethod
    def splits(self) -> Sequence[Split]:
        """Every split that it remembers, oldest first; the last is in force."""

    @abstractmethod
    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        """Give the arms these weights, all at once; requests that begin after this returns follow them."""


class RecordSink(ABC):
    """Where production records of a served flow go. Called from one thread; never waits for what is slow.

    A sink that ``FLOWYARD_SERVE_RECORDS_SINK`` names is a class that is made with the environment, a mapping of
    variables, as its one argument. It may raise UserError then, and in ``put`` what it likes: the record is lost.
    """

    @abstractmethod
    def put(self, text: Callable[[], str]) -> None:
        """Keep one record, a JSON object that ``text`` makes, in any thread and once."""

    def put_all(self, texts: Sequence[str]) -> None:
        """Keep records that are texts already."""
        for text in texts:
            self.put(text.__str__)

    @property
    @abstractmethod
    def dropped(self) -> int:
        """How many records could not be kept."""

    @abstractmethod
    def close(self) -> None:
        """Keep what is left, and then nothing more. Safe to call again."""
