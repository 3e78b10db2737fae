"""Runs that a home has as folders only: those of a flowyard without a database, and of a database that is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flowyard.store import queries
from flowyard.store.database import Session
from flowyard.store.run_json import run_from_text

__all__ = ["RECORD_FILE", "TakenIn", "left_out", "take_in", "was_taken_in"]

RECORD_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many runs were taken in from a home, and the folders' names of those that could not be."""

    count: int
    left_out: tuple[str, ...]


def was_taken_in(session: Session, home: str) -> bool:
    """Whether the home's folders were looked through before."""
    return bool(session.execute("SELECT 1 FROM flowyard_homes WHERE home = ?", (home,)).fetchall())


def take_in(session: Session, runs: Path, home: str) -> TakenIn:
    """Store each run below the folder ``runs`` that is not stored yet; called again, it takes what came since."""
    count = 0
    unreadable: list[str] = []
    stored = set(queries.names(session))
    for file in sorted(runs.glob(f"[!.]*/{RECORD_FILE}")):
        name = file.parent.name
        if name in stored:
            continue
        try:
            run = run_from_text(file.read_text(encoding="utf-8"), file.parent)
            if run.name != name:
                raise ValueError("it is another run's record")
            count += queries.insert(session, run, home)
        except (OSError, ValueError):
            unreadable.append(name)
    session.execute("DELETE FROM flowyard_homes WHERE home = ?", (home,))
    session.execute("INSERT INTO flowyard_homes (home, left_out) VALUES (?, ?)", (home, json.dumps(unreadable)))
    return TakenIn(count, tuple(unreadable))


def left_out(session: Session, home: str) -> list[str]:
    """The names of folders whose record could not be read when they were taken in."""
    rows = session.execute("SELECT left_out FROM flowyard_homes WHERE home = ?", (home,)).fetchall()
    return [name for (text,) in rows for name in json.loads(text)]
