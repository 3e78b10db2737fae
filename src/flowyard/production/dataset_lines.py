"""Exchanges as lines of a dataset: what was asked and answered, and what people said of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from flowyard.production.lines import ExchangeFilter, JoinedExchange, iter_exchanges
from flowyard.production.store import ProductionStore

__all__ = ["OWN_COLUMNS", "DatasetLine", "dataset_line", "iter_dataset_lines"]

DatasetLine = Mapping[str, Any]
"""The columns ``inputs.NAME``, ``outputs.NAME`` and OWN_COLUMNS."""

OWN_COLUMNS = ("label", "feedback", "comment", "request_id", "flow", "version", "at", "chosen")


def iter_dataset_lines(store: ProductionStore, wanted: ExchangeFilter, chosen: str) -> Iterator[DatasetLine]:
    """The lines of what a filter wants, by time; ``chosen`` says in words how it was chosen.

    Of several with the same inputs one is taken: one with a label before one with a verdict before any other, then the
    last. Exchanges are read twice, so that only a digest of each different one is in memory.
    """
    best: dict[bytes, tuple[int, str]] = {}
    for each in iter_exchanges(store, wanted):
        key, rank = _key(each), _rank(each)
        if key not in best or rank >= best[key][0]:
            best[key] = (rank, each.exchange.id)
    taken = {id_ for _, id_ in best.values()}
    for each in iter_exchanges(store, wanted):
        if each.exchange.id in taken:
            yield dataset_line(each, chosen)


def dataset_line(each: JoinedExchange, chosen: str) -> DatasetLine:
    """One exchange. ``feedback`` is ``positive``, ``negative`` or None."""
    exchange, opinion = each.exchange, each.opinion
    verdicts = {True: "positive", False: "negative"}
    own = (
        opinion.label,
        None if opinion.positive is None else verdicts[opinion.positive],
        opinion.comment,
        exchange.request_id,
        exchange.flow,
        exchange.version,
        exchange.at.isoformat(),
        chosen,
    )
    return {
        **{f"inputs.{name}": value for name, value in exchange.inputs.items()},
        **{f"outputs.{name}": value for name, value in exchange.outputs.items()},
        **dict(zip(OWN_COLUMNS, own, strict=True)),
    }


def _key(each: JoinedExchange) -> bytes:
    text = json.dumps(dict(each.exchange.inputs), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _rank(each: JoinedExchange) -> int:
    opinion = each.opinion
    return 2 if opinion.label is not None else 1 if opinion.positive is not None else 0
