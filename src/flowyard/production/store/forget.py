"""Deleting all that the store has of one unit, such as a user who asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowyard.production.store.joins import EXCHANGE_OF_EXPOSURE, EXPOSURE_OF_FEEDBACK
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["count_unit", "forget_unit", "units_of_request"]


def count_unit(store: ProductionStore, unit: str) -> Mapping[str, int]:
    """How many records of each kind there are of a unit, by the name that exposures have for it."""
    return store.tables.read(lambda session: {kind: len(ids) for kind, ids in _found(session, unit).items()}, {})


def forget_unit(store: ProductionStore, unit: str) -> Mapping[str, int]:
    """Delete them, all or none; returns how many there were of each kind.

    What belongs to a request is found by the exposures, so these go last.
    """

    def writing(session: Session) -> dict[str, int]:
        found = _found(session, unit)
        for kind, ids in found.items():
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                session.execute(f"DELETE FROM flowyard_production_{kind} WHERE id IN ({marks})", some)  # noqa: S608
        return {kind: len(ids) for kind, ids in found.items()}

    return store.tables.write(writing)


def units_of_request(store: ProductionStore, request_id: str) -> Sequence[str]:
    """The units whose requests had that id, sorted; callers choose ids, so that there may be several."""
    sql = "SELECT DISTINCT unit FROM flowyard_production_exposures WHERE request_id = ? ORDER BY unit"
    values = (column_text(request_id),)
    return store.tables.read(lambda session: [str(row[0]) for row in session.execute(sql, values).fetchall()], [])


_AT_ONCE = 500


def _found(session: Session, unit: str) -> dict[str, list[str]]:
    """The ids of its records by kind."""
    values = (column_text(unit),)
    return {kind: [str(row[0]) for row in session.execute(sql, values).fetchall()] for kind, sql in _OF_UNIT.items()}


_EXPOSURES = "SELECT * FROM flowyard_production_exposures WHERE unit = ?"
_EXCHANGES = f"SELECT DISTINCT {EXCHANGE_OF_EXPOSURE} AS id FROM ({_EXPOSURES}) x"  # noqa: S608 - of our own pieces
_OF_UNIT: Mapping[str, str] = {
    "judgements": f"SELECT j.id FROM flowyard_production_judgements j WHERE j.exchange IN ({_EXCHANGES})",  # noqa: S608
    "feedback": f"""WITH own AS ({_EXPOSURES})
        SELECT c.id FROM (
            SELECT f.id, {EXPOSURE_OF_FEEDBACK} AS exposure FROM flowyard_production_feedback f WHERE f.id IN (
                SELECT g.id FROM flowyard_production_feedback g JOIN own ON g.trace_id = own.trace_id
                UNION SELECT g.id FROM flowyard_production_feedback g JOIN own ON g.request_id = own.request_id)) c
        WHERE c.exposure IN (SELECT id FROM own)""",  # noqa: S608 - of our own pieces
    "exchanges": f"SELECT id FROM ({_EXCHANGES}) o WHERE id IS NOT NULL",  # noqa: S608 - of our own pieces
    "exposures": f"SELECT id FROM ({_EXPOSURES}) o",  # noqa: S608 - of our own pieces
}
