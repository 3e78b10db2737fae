"""Single exchanges with what was said of them and the arm that answered, found by a filter and read page by page."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowyard.production.exchanges.series import Window
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.store import JUDGEMENT_COLUMNS, stored_judgement
from flowyard.production.records.model import ExchangeRecord, ExposureRecord, FeedbackRecord
from flowyard.production.records.opinion import NO_OPINION, Opinion, opinion_of
from flowyard.production.store.joins import EXCHANGE_OF_FEEDBACK
from flowyard.production.store.rows import column_text, stored_record
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["ExchangeFilter", "JoinedExchange", "JudgedBelow", "iter_exchanges"]

_PAGE = 500
_NOTHING: tuple[list[JoinedExchange], None] = ([], None)


@dataclass(frozen=True, slots=True)
class JudgedBelow:
    """A score below a number: of ``evaluator.score``, or any score of ``evaluator``."""

    name: str
    below: float

    def holds(self, judgement: Judgement) -> bool:
        """Whether a judgement says so."""
        scores = judgement.scores
        if judgement.evaluator == self.name:
            return any(value < self.below for value in scores.values())
        return any(
            f"{judgement.evaluator}.{name}" == self.name and value < self.below for name, value in scores.items()
        )


@dataclass(frozen=True, slots=True)
class ExchangeFilter:
    """Which exchanges are wanted: those for which all that is given holds.

    ``failed`` and ``positive`` (what the feedback says) are wanted that way; ``slower_than_s`` and ``score_below`` are
    bounds, and ``judged_below`` those of scores of evaluators; ``ids`` are those of exchanges. Of each group of
    ``any_of`` one has to hold, of which only what is said of single exchanges counts. ``sample`` chooses so many of
    them by ``seed``: the same ones whenever and in whatever order they came in.
    """

    flow: str
    window: Window
    version: str | None = None
    arm: str | None = None
    failed: bool | None = None
    positive: bool | None = None
    slower_than_s: float | None = None
    score_below: float | None = None
    sample: int | None = None
    seed: int = 0
    ids: frozenset[str] | None = None
    judged_below: tuple[JudgedBelow, ...] = ()
    any_of: tuple[tuple[ExchangeFilter, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class JoinedExchange:
    """An exchange, all feedback on it, oldest first, the exposure that it came of, and the last judgement by each
    evaluator.
    """

    exchange: ExchangeRecord
    feedback: tuple[FeedbackRecord, ...] = ()
    exposure: ExposureRecord | None = None
    judgements: tuple[Judgement, ...] = ()

    @property
    def opinion(self) -> Opinion:
        """The last one that says yes or no, else the last."""
        opinions = [opinion_of(each.feedback) for each in self.feedback]
        said = [each for each in opinions if each.positive is not None]
        return said[-1] if said else opinions[-1] if opinions else NO_OPINION


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended: pages go on after it."""

    at_ms: int
    id: str


def iter_exchanges(store: ProductionStore, wanted: ExchangeFilter) -> Iterator[JoinedExchange]:
    """The exchanges that a filter wants, by time. In memory are a page of them, or the chosen ones of a sample."""
    if wanted.sample is None:
        yield from _all(store, wanted)
        return
    chosen = heapq.nsmallest(
        wanted.sample,
        _all(store, replace(wanted, sample=None)),
        key=lambda each: _drawn(each.exchange.id, wanted.seed),
    )
    yield from sorted(chosen, key=lambda each: (each.exchange.at, each.exchange.id))


def _drawn(id_: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{id_}".encode(), digest_size=16).digest()


def _all(store: ProductionStore, wanted: ExchangeFilter) -> Iterator[JoinedExchange]:
    page = _Page(wanted)
    after: _Place | None = _Place(wanted.window.values[0], "")
    while after is not None:
        found, after = store.tables.read(partial(page.read, after=after), _NOTHING)
        yield from (each for each in found if _fits(each, wanted))


def _fits(each: JoinedExchange, wanted: ExchangeFilter) -> bool:
    """What SQL did not look at."""
    if wanted.ids is not None and each.exchange.id not in wanted.ids:
        return False
    if wanted.arm is not None and (each.exposure is None or each.exposure.arm != wanted.arm):
        return False
    opinion = each.opinion
    if wanted.positive is not None and opinion.positive is not wanted.positive:
        return False
    if wanted.score_below is not None and (opinion.score is None or opinion.score >= wanted.score_below):
        return False
    if not all(any(map(bound.holds, each.judgements)) for bound in wanted.judged_below):
        return False
    return all(any(_fits_wholly(each, one) for one in group) for group in wanted.any_of)


def _fits_wholly(each: JoinedExchange, wanted: ExchangeFilter) -> bool:
    """The same for one of several alternatives, of which SQL looked at nothing."""
    exchange = each.exchange
    if wanted.failed is not None and exchange.is_failed is not wanted.failed:
        return False
    if wanted.slower_than_s is not None and exchange.latency_s <= wanted.slower_than_s:
        return False
    return _fits(each, wanted)


class _Page:
    """The statements that read one page."""

    def __init__(self, wanted: ExchangeFilter) -> None:
        conditions = ["flow = ?", "at_ms < ?", "(at_ms, id) > (?, ?)"]
        self._values: list[Any] = []
        self._first = (column_text(wanted.flow), wanted.window.values[1])
        for condition, value in (
            ("version = ?", None if wanted.version is None else column_text(wanted.version)),
            ("failed = ?", None if wanted.failed is None else int(wanted.failed)),
            ("latency_s > ?", wanted.slower_than_s),
        ):
            if value is not None:
                conditions.append(condition)
                self._values.append(value)
        self._sql = (
            "SELECT id, at_ms, trace_id, request_id, version, record FROM flowyard_production_exchanges "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY at_ms, id LIMIT {_PAGE}"
        )

    def read(self, session: Session, after: _Place) -> tuple[list[JoinedExchange], _Place | None]:
        """The exchanges of the next page, and where the one after it begins."""
        values = [*self._first, after.at_ms, after.id, *self._values]
        rows = session.execute(self._sql, values).fetchall()
        if not rows:
            return [], None
        feedback = self._feedback(session, values)
        exposures = self._exposures(session, values)
        judgements = self._judgements(session, values)
        found = [
            JoinedExchange(
                stored_record(record, ExchangeRecord),
                tuple(feedback.get(id_, ())),
                _exposure_of(exposures.get((request, trace), ()), version),
                tuple(judgements.get(id_, {}).values()),
            )
            for id_, _, trace, request, version, record in rows
        ]
        return found, _Place(int(rows[-1][1]), str(rows[-1][0])) if len(rows) == _PAGE else None

    def _feedback(self, session: Session, values: Sequence[Any]) -> dict[str, list[FeedbackRecord]]:
        sql = (
            f"WITH page AS ({self._sql}) SELECT {EXCHANGE_OF_FEEDBACK}, f.record "  # noqa: S608
            "FROM flowyard_production_feedback f WHERE f.id IN ("
            "SELECT g.id FROM flowyard_production_feedback g JOIN page ON g.trace_id = page.trace_id "
            "UNION SELECT g.id FROM flowyard_production_feedback g JOIN page ON g.request_id = page.request_id) "
            "ORDER BY f.at_ms, f.id"
        )
        found: dict[str, list[FeedbackRecord]] = {}
        for exchange, record in session.execute(sql, values).fetchall():
            found.setdefault(exchange, []).append(stored_record(record, FeedbackRecord))
        return found

    def _exposures(self, session: Session, values: Sequence[Any]) -> dict[tuple[str, str], list[ExposureRecord]]:
        sql = (
            f"WITH page AS ({self._sql}) SELECT DISTINCT x.id, x.at_ms, x.request_id, x.trace_id, x.record "  # noqa: S608
            "FROM flowyard_production_exposures x JOIN page "
            "ON x.request_id = page.request_id AND x.trace_id = page.trace_id ORDER BY x.at_ms, x.id"
        )
        found: dict[tuple[str, str], list[ExposureRecord]] = {}
        for _, _, request, trace, record in session.execute(sql, values).fetchall():
            found.setdefault((request, trace), []).append(stored_record(record, ExposureRecord))
        return found

    def _judgements(self, session: Session, values: Sequence[Any]) -> dict[str, dict[str, Judgement]]:
        """By exchange and evaluator; of several versions of one the last that judged."""
        columns = ", ".join(f"j.{name}" for name in JUDGEMENT_COLUMNS)
        sql = (
            f"WITH page AS ({self._sql}) SELECT {columns} FROM flowyard_production_judgements j "  # noqa: S608
            "JOIN page ON j.exchange = page.id WHERE j.failed = 0 ORDER BY j.evaluator, j.judged_ms, j.id"
        )
        found: dict[str, dict[str, Judgement]] = {}
        for row in session.execute(sql, values).fetchall():
            judgement = stored_judgement(row)
            found.setdefault(judgement.exchange, {})[judgement.evaluator] = judgement
        return found


def _exposure_of(exposures: Sequence[ExposureRecord], version: str) -> ExposureRecord | None:
    """Of several, as when a request was mirrored, that of the exchange's version; else one that was not mirrored."""
    same = [each for each in exposures if column_text(each.version) == version]
    return next((each for each in (*same, *sorted(exposures, key=lambda each: each.mirror))), None)
