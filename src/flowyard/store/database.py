"""What the store needs of a SQL database. All SQL that differs between databases is behind this border."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["Answer", "Database", "Session"]

T = TypeVar("T")


class Answer(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchall(self) -> Sequence[Sequence[Any]]:
        """The rows it found."""


class Session(Protocol):
    """An open connection. Parameters are written as ``?``; no statement of ours has that sign otherwise."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """Carry out one statement."""


class Database(ABC):
    """One database, opened for each piece of work; what is busy is waited for, and no work is done in part.

    ``work`` may be called again, so it does nothing besides talking to the database. Raises StoreError, in words for
    people, for everything that can go wrong.
    """

    label: str
    """Where it is, without secrets."""

    kind: str
    """``sqlite`` or ``postgresql``."""

    text_type: str
    """The type of columns with text that sorts by code point."""

    schema_exists: str
    """A statement that finds one row when there are tables of ours."""

    matches_pattern: str
    """A condition on ``name`` with one parameter, which ``pattern`` gives."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether reading could find anything; asking does not make it."""

    @abstractmethod
    def read(self, work: Callable[[Session], T]) -> T:
        """Do work that only reads."""

    @abstractmethod
    def write(self, work: Callable[[Session], T], *, durable: bool = True) -> T:
        """Do work in one transaction; if ``durable``, it is on disk when this returns."""

    @abstractmethod
    def claim_schema(self, session: Session) -> None:
        """In a transaction: make others who want to change the tables wait until it ends."""

    @abstractmethod
    def pattern(self, pattern: str) -> str:
        """A name with ``*`` and ``?`` as the parameter of ``matches_pattern``."""
