"""Reading and writing tables of this version, whichever version the database has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flowyard.store.database import Database, Session
from flowyard.store.schema import MIGRATIONS, migrate, schema_version

__all__ = ["Tables"]

T = TypeVar("T")
U = TypeVar("U")


class Tables:
    """The tables of a database, which are made or brought to this version when they are first needed.

    Raises StoreError for everything that can go wrong, as the database does.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def read(self, work: Callable[[Session], T], nothing: U) -> T | U:
        """Do work that only reads; ``nothing`` when there is no database yet."""
        if not self.database.exists():
            return nothing

        def reading(session: Session) -> list[T]:
            return [work(session)] if self._is_current(session) else []

        found = self.database.read(reading)
        return found[0] if found else self.write(work)

    def write(self, work: Callable[[Session], T], *, durable: bool = True) -> T:
        """Do work in one transaction; if ``durable``, it is on disk when this returns."""

        def writing(session: Session) -> T:
            if not self._is_current(session):
                self.database.claim_schema(session)
                if not self._is_current(session):  # whoever claimed it before may have done the work
                    migrate(session, self.database)
            return work(session)

        return self.database.write(writing, durable=durable)

    def _is_current(self, session: Session) -> bool:
        return schema_version(session, self.database) == len(MIGRATIONS)
