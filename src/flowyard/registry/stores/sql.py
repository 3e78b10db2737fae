"""The registry's own store: versions in a SQL database, their files in blobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flowyard.abc import RegistryStore
from flowyard.errors import NotFound
from flowyard.registry.blobs import Blobs
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.stores import sql_queries as queries
from flowyard.store.database import Database, Session
from flowyard.store.tables import Tables

__all__ = ["SqlRegistryStore"]


class SqlRegistryStore(RegistryStore):
    """Versions in the database that has the records of runs, and contents by digest in ``blobs``.

    Contents are put first and a version is made after them, in one transaction, so that a process that is killed leaves
    contents that nothing names, at worst.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self.label = database.label
        self.shares_files = blobs.shares_files
        self._tables = Tables(database)
        self._blobs = blobs

    def names(self, kind: Kind) -> Sequence[str]:
        return self._tables.read(lambda session: queries.names(session, kind), [])

    def versions(self, kind: Kind, name: str) -> Sequence[Version]:
        return self._tables.read(lambda session: queries.versions(session, kind, name), [])

    def add(self, draft: Draft) -> Registered:
        digest = draft.digest
        earlier = self._tables.read(lambda session: queries.find_digest(session, draft, digest), None)
        if earlier is not None:
            if self.shares_files:  # to look is cheap here, and what was lost comes back
                self._blobs.put_all(draft.files, draft.places)
            return Registered(earlier, is_new=False)
        self._blobs.put_all(draft.files, draft.places)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Registered(*self._tables.write(lambda session: queries.claim_version(session, draft, digest, now)))

    def fetch(self, version: Version, folder: Path) -> None:
        self._blobs.get_all(version.files, folder)

    def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        def moving(session: Session) -> None:
            number = change.version
            if number is not None and not queries.has(session, kind, name, number):
                raise NotFound(f"There is no {kind} {name!r} in version {number}.")
            queries.add_alias_change(session, kind, name, change)

        self._tables.write(moving)

    def alias_changes(self, kind: Kind, name: str) -> Sequence[AliasChange]:
        return self._tables.read(lambda session: queries.alias_changes(session, kind, name), [])

    def add_fact(self, version: Version, fact: LineageFact) -> None:
        self._tables.write(lambda session: queries.add_fact(session, version, fact))

    def facts(self, version: Version) -> Sequence[LineageFact]:
        return self._tables.read(lambda session: queries.facts(session, version), [])
