"""All SQL about runs, for every database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from flowyard.records import RunQuery, RunRecord
from flowyard.store.database import Database, Session
from flowyard.store.run_json import run_to_json

__all__ = ["StoredRun", "delete", "find", "find_running", "insert", "names", "select", "status_counts", "update"]

StoredRun = tuple[str, str, str]
"""A run's name, the home that its folder is in, and its record as JSON."""

_COLUMNS = (
    "status",
    "role",
    "flow",
    "flow_folder",
    "flow_folder_name",
    "flow_stem",
    "base_run",
    "created",
    "archived",
    "record",
)
_ALL = 2**62


def insert(session: Session, run: RunRecord, home: str) -> bool:
    """Store a new run; False when its name is taken."""
    marks = ", ".join("?" * (len(_COLUMNS) + 2))
    made = session.execute(
        f"INSERT INTO flowyard_runs (name, home, {', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT (name) DO NOTHING",  # noqa: S608
        (run.name, home, *_values(run)),
    )
    if made.rowcount:
        _set_tags(session, run)
    return made.rowcount > 0


def update(session: Session, run: RunRecord, instead_of: str | None = None) -> bool:
    """Replace a stored run; False when there is none of its name, or none with the record ``instead_of``."""
    changes = ", ".join(f"{column} = ?" for column in _COLUMNS)
    condition, values = ("name = ?", [run.name])
    if instead_of is not None:
        condition, values = ("name = ? AND record = ?", [run.name, instead_of])
    done = session.execute(f"UPDATE flowyard_runs SET {changes} WHERE {condition}", (*_values(run), *values))  # noqa: S608
    if done.rowcount:
        session.execute("DELETE FROM flowyard_run_tags WHERE run = ?", (run.name,))
        _set_tags(session, run)
    return done.rowcount > 0


def delete(session: Session, name: str) -> None:
    """Forget a run."""
    session.execute("DELETE FROM flowyard_run_tags WHERE run = ?", (name,))
    session.execute("DELETE FROM flowyard_runs WHERE name = ?", (name,))


def find(session: Session, name: str) -> StoredRun | None:
    """One run by its name."""
    found = _runs(session, "WHERE name = ?", (_plain(name),))
    return found[0] if found else None


def find_running(session: Session) -> list[StoredRun]:
    """The runs that are stored as running, whether somebody still holds them or not."""
    return _runs(session, "WHERE status = 'running'")


def names(session: Session) -> list[str]:
    """The names of all runs."""
    return [name for (name,) in session.execute("SELECT name FROM flowyard_runs").fetchall()]


def status_counts(session: Session) -> dict[str, int]:
    """How many runs there are of each status."""
    rows = session.execute("SELECT status, COUNT(*) FROM flowyard_runs GROUP BY status ORDER BY status").fetchall()
    return dict(map(tuple, rows))


def select(session: Session, database: Database, query: RunQuery, killed: Sequence[str] = ()) -> list[StoredRun]:
    """The runs that fit; those in ``killed`` count as canceled, whatever is stored."""
    status, values = "status", []
    if killed:
        status = f"CASE WHEN name IN ({', '.join('?' * len(killed))}) THEN 'canceled' ELSE status END"
        values = [_plain(name) for name in killed]
    conditions = list(_conditions(query, database, status, values))
    where = " AND ".join(condition for condition, _ in conditions) or "1 = 1"
    limit = _ALL if query.limit is None else query.limit
    return _runs(
        session,
        f"WHERE {where} ORDER BY created DESC, name LIMIT ? OFFSET ?",
        (*(value for _, each in conditions for value in each), limit, query.offset),
    )


def _conditions(
    query: RunQuery, database: Database, status: str, status_values: list[str]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """The conditions of a query, each with its values."""
    if query.status is not None:
        yield f"{status} = ?", (*status_values, query.status)
    if query.flow is not None:
        yield "? IN (flow, flow_folder, flow_folder_name, flow_stem)", (_plain(query.flow),)
    for column in ("role", "base_run"):
        if (wanted := getattr(query, column)) is not None:
            yield f"{column} = ?", (_plain(wanted),)
    if query.archived is not None:
        yield "archived = ?", (int(query.archived),)
    if query.since is not None:
        yield "created >= ?", (_moment(query.since),)
    if query.name is not None:
        yield database.matches_pattern, (database.pattern(_plain(query.name)),)
    for tag, value in query.tags.items():
        yield (
            "EXISTS (SELECT 1 FROM flowyard_run_tags t WHERE t.run = name AND t.tag = ? AND t.value = ?)",
            (_coded(tag), _coded(value)),
        )


def _runs(session: Session, rest: str, values: Sequence[Any] = ()) -> list[StoredRun]:
    rows: Iterable[Sequence[Any]] = session.execute(
        f"SELECT name, home, record FROM flowyard_runs {rest}",  # noqa: S608
        values,
    ).fetchall()
    return [(name, home, record) for name, home, record in rows]


def _set_tags(session: Session, run: RunRecord) -> None:
    for tag, value in run.tags.items():
        session.execute(
            "INSERT INTO flowyard_run_tags (run, tag, value) VALUES (?, ?, ?)", (run.name, _coded(tag), _coded(value))
        )


def _values(run: RunRecord) -> tuple[Any, ...]:
    flow = PurePath(run.flow)
    texts = (run.status, run.role, run.flow, str(flow.parent), flow.parent.name, flow.stem)
    base = None if run.base_run is None else _plain(run.base_run)
    return (*map(_plain, texts), base, _moment(run.created_at), int(run.archived), run_to_json(run))


def _coded(value: Any) -> str:
    """A tag's name or value, which may be any text: as ASCII."""
    return json.dumps(value, default=str)


def _plain(text: str) -> str:
    """Text that every database can keep; the name of a file may have bytes that are none."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _moment(text: str) -> str:
    """A time so that earlier ones sort first; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return _plain(text)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
