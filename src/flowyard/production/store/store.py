"""The store of production records: SQLite or PostgreSQL, in the database that has the records of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flowyard.production.records.files import FileMark, Part
from flowyard.production.records.instants import milliseconds
from flowyard.production.store.rows import insert_records
from flowyard.settings import Settings
from flowyard.store.database import Session
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

__all__ = ["ProductionStore", "open_production"]

_KINDS = ("exchanges", "feedback", "exposures", "judgements")


class ProductionStore:
    """Records by what they are, each once. Raises StoreError for everything that can go wrong."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.label = tables.database.label

    def mark(self, head: str) -> FileMark:
        """How far the file of that head was read by anybody."""

        def reading(session: Session) -> FileMark:
            sql = "SELECT bytes, lines, tail FROM flowyard_production_files WHERE head = ?"
            rows = session.execute(sql, (head,)).fetchall()
            return FileMark(head, int(rows[0][0]), int(rows[0][1]), str(rows[0][2])) if rows else FileMark(head)

        return self.tables.read(reading, FileMark(head))

    def add(self, part: Part, place: str) -> int:
        """Store a part of a file and how far it was read, both or neither; returns how many records were new.

        What a power cut takes with it is in the file still, and is read again.
        """

        def writing(session: Session) -> int:
            new = insert_records(session, part.records)
            mark = part.mark
            session.execute(
                "INSERT INTO flowyard_production_files (head, place, bytes, lines, tail) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (head) DO UPDATE SET place = excluded.place, bytes = excluded.bytes, "
                "lines = excluded.lines, tail = excluded.tail",
                (mark.head, place, mark.offset, mark.lines, mark.tail),
            )
            return new

        return self.tables.write(writing, durable=False)

    def forget_file(self, head: str) -> None:
        """A file is no more."""
        sql = "DELETE FROM flowyard_production_files WHERE head = ?"
        self.tables.write(lambda session: session.execute(sql, (head,)))

    def count_before(self, until: datetime) -> dict[str, int]:
        """How many records of each kind are older."""

        def reading(session: Session) -> dict[str, int]:
            return {
                kind: int(
                    session.execute(
                        f"SELECT COUNT(*) FROM flowyard_production_{kind} WHERE at_ms < ?",  # noqa: S608
                        (milliseconds(until),),
                    ).fetchall()[0][0]
                )
                for kind in _KINDS
            }

        return self.tables.read(reading, dict.fromkeys(_KINDS, 0))

    def delete_before(self, until: datetime) -> dict[str, int]:
        """Delete the records of each kind that are older; returns how many there were."""

        def writing(session: Session) -> dict[str, int]:
            return {
                kind: session.execute(
                    f"DELETE FROM flowyard_production_{kind} WHERE at_ms < ?",  # noqa: S608
                    (milliseconds(until),),
                ).rowcount
                for kind in _KINDS
            }

        return self.tables.write(writing)

    def flows(self) -> Sequence[str]:
        """The names of flows that have exchanges, sorted."""
        sql = "SELECT DISTINCT flow FROM flowyard_production_exchanges ORDER BY flow"
        return self.tables.read(lambda session: [row[0] for row in session.execute(sql).fetchall()], [])

    def experiments(self) -> Sequence[str]:
        """The names of experiments that have exposures, sorted."""
        sql = "SELECT DISTINCT experiment FROM flowyard_production_exposures ORDER BY experiment"
        return self.tables.read(lambda session: [row[0] for row in session.execute(sql).fetchall()], [])


def open_production(settings: Settings) -> ProductionStore:
    """The store that the settings name; nothing is connected or made yet."""
    return ProductionStore(Tables(open_database(settings.home, settings.store)))
