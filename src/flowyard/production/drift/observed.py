"""Where observations come from: a window of production, a version of a dataset, the lines of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from flowyard.production.drift.features import field_features
from flowyard.production.drift.model import Observation, Value
from flowyard.production.exchanges.series import Window
from flowyard.production.judging.scores import JudgeScores, judge_scores
from flowyard.production.records.model import ExchangeRecord
from flowyard.production.store.joins import SAID_OF_EXCHANGES
from flowyard.production.store.rows import column_text, stored_record
from flowyard.production.store.store import ProductionStore
from flowyard.records import LineResult, RunRecord
from flowyard.runs.dataset import open_dataset
from flowyard.runs.results import read_lines
from flowyard.store.database import Session

__all__ = ["MOST_RECORDS", "dataset_observations", "observations", "run_observations"]

MOST_RECORDS = 10_000
"""Of more, a sample of about so many is compared, the same one each time."""

_PAGE = 500
_DIGITS = 6
_DIGEST_AT = 14
"""An exchange's id is 12 digits of time, a dash and a digest, which is as good as drawn by lot."""


def observations(
    store: ProductionStore, flow: str, window: Window, most: int = MOST_RECORDS, version: str | None = None
) -> list[Observation]:
    """The exchanges of a window that did not fail, with what feedback and judges scored, in order of time."""
    since, until = window.values
    name = column_text(flow)
    of_version, versions = ("", ()) if version is None else ("AND e.version = ?", (column_text(version),))
    counted = f"""SELECT COUNT(*) FROM flowyard_production_exchanges e
        WHERE e.flow = ? AND e.at_ms >= ? AND e.at_ms < ? AND e.failed = 0 {of_version}"""  # noqa: S608
    values = (name, since, until, *versions)
    count = store.tables.read(lambda session: int(session.execute(counted, values).fetchall()[0][0]), 0)
    if not count:
        return []
    below = min(16**_DIGITS, math.ceil(16**_DIGITS * most / count))
    chosen = "" if below >= 16**_DIGITS else f"AND substr(e.id, {_DIGEST_AT}, {_DIGITS}) < '{below:0{_DIGITS}x}'"
    sql = f"""SELECT e.id, e.at_ms, e.version, e.record FROM flowyard_production_exchanges e
        WHERE e.flow = ? AND e.at_ms < ? AND (e.at_ms, e.id) > (?, ?) AND e.failed = 0 {of_version} {chosen}
        ORDER BY e.at_ms, e.id LIMIT {_PAGE}"""  # noqa: S608 - of our own pieces
    said = store.tables.read(partial(_said, since=since), {})
    judged = {each.exchange: each for each in judge_scores(store, flow, window)}
    found: list[Observation] = []
    place: tuple[int, str] | None = (since, "")
    while place is not None:
        rows = store.tables.read(partial(_rows, sql=sql, values=(name, until, *place, *versions)), [])
        found += [
            _observation(str(id_), str(of), record, said.get(str(id_), {}), judged.get(str(id_)))
            for id_, _, of, record in rows
        ]
        place = (int(rows[-1][1]), str(rows[-1][0])) if len(rows) == _PAGE else None
    return found


def _rows(session: Session, sql: str, values: tuple[Any, ...]) -> list[Any]:
    return list(session.execute(sql, values).fetchall())


def _said(session: Session, since: int) -> dict[str, dict[str, Value]]:
    """What feedback says of exchanges, by their ids."""
    found: dict[str, dict[str, Value]] = {}
    for subject, positive, score in session.execute(SAID_OF_EXCHANGES, (since,)).fetchall():
        values: dict[str, Value] = {}
        if positive is not None:
            values["feedback.positive"] = "true" if positive else "false"
        if score is not None:
            values["feedback.score"] = float(score)
        found[str(subject)] = values
    return found


def _observation(
    id_: str, version: str, record: str, said: Mapping[str, Value], judged: JudgeScores | None
) -> Observation:
    exchange = stored_record(record, ExchangeRecord)
    values = {**dict(field_features("inputs", exchange.inputs)), **dict(field_features("outputs", exchange.outputs))}
    if exchange.model_calls or exchange.prompt_tokens:
        values["tokens.prompt"] = float(exchange.prompt_tokens)
        values["tokens.completion"] = float(exchange.completion_tokens)
    if judged is None:
        return Observation({**values, **said}, version, id_)
    scores: dict[str, Value] = {f"judge.{name}": value for name, value in judged.scores.items()}
    return Observation(
        {**values, **said, **scores}, version, id_, frozenset(f"judge.{name}" for name in judged.simulated)
    )


def dataset_observations(path: Path, most: int = MOST_RECORDS) -> list[Observation]:
    """The lines of a dataset: columns ``inputs.NAME`` and ``outputs.NAME``, as exports have them; others are inputs.

    Of more than ``most`` lines every so-manieth is taken. Raises UserError for data that cannot be read.
    """
    dataset = open_dataset(path)
    count = sum(1 for _ in dataset.rows())
    rows = (row.values for row in dataset.rows() if row.error is None)
    return [_line(values) for values in _thinned(rows, count, most)]


def _line(values: Mapping[str, Any]) -> Observation:
    is_export = any(str(name).startswith("inputs.") for name in values)
    fields: dict[str, dict[str, Any]] = {"inputs": {}, "outputs": {}}
    for name, value in values.items():
        kind, dot, rest = str(name).partition(".")
        if dot and kind in fields:
            fields[kind][rest] = value
        elif not is_export:
            fields["inputs"][str(name)] = value
    return Observation({**dict(_all_features(fields))})


def _all_features(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Value]]:
    for kind, values in fields.items():
        yield from field_features(kind, values)


def run_observations(run: RunRecord, most: int = MOST_RECORDS) -> list[Observation]:
    """The completed lines of a run. Raises UserError for one whose lines are not all there."""
    count = sum(1 for _ in read_lines(run))
    lines = (line for line in read_lines(run) if line.error is None)
    return [Observation(dict(_all_features(_fields(line)))) for line in _thinned(lines, count, most)]


def _fields(line: LineResult) -> Mapping[str, Mapping[str, Any]]:
    return {"inputs": line.inputs, "outputs": line.outputs or {}}


def _thinned(items: Iterable[Any], count: int, most: int) -> Iterator[Any]:
    return islice(items, 0, None, max(1, math.ceil(count / most)))
