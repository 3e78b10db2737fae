"""Exchanges as lines of a dataset: what was asked and answered, and what people said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flowyard.production.datasets.known_inputs import KnownInputs, digest_of_inputs
from flowyard.production.exchanges.lines import ExchangeFilter, JoinedExchange, iter_exchanges
from flowyard.production.store.store import ProductionStore

__all__ = ["OWN_COLUMNS", "DatasetLine", "dataset_line", "iter_dataset_lines"]

DatasetLine = Mapping[str, Any]
"""The columns ``inputs.NAME``, ``outputs.NAME`` and OWN_COLUMNS, the last only where there are judgements."""

OWN_COLUMNS = ("label", "feedback", "comment", "request_id", "flow", "version", "at", "chosen", "judgements")


def iter_dataset_lines(
    store: ProductionStore,
    wanted: ExchangeFilter,
    chosen: str,
    known: KnownInputs | None = None,
    masked: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Iterator[DatasetLine]:
    """The lines of what a filter wants, by time; ``chosen`` says in words how it was chosen.

    What has inputs that are ``known`` from other datasets is left out, as they are or as they were ``masked`` there.

    Of several with the same inputs one is taken: one with a label before one with a verdict before any other, then the
    last. Exchanges are read twice, so that only a digest of each different one is in memory.
    """
    best: dict[bytes, tuple[int, str]] = {}
    for each in iter_exchanges(store, wanted):
        inputs = each.exchange.inputs
        if known is not None and (inputs in known or masked(inputs) in known):
            continue
        key, rank = _key(each), _rank(each)
        if key not in best or rank >= best[key][0]:
            best[key] = (rank, each.exchange.id)
    taken = {id_ for _, id_ in best.values()}
    for each in iter_exchanges(store, wanted):
        if each.exchange.id in taken:
            yield dataset_line(each, chosen)


def dataset_line(each: JoinedExchange, chosen: str) -> DatasetLine:
    """One exchange. ``feedback`` is ``positive``, ``negative`` or None; ``judgements`` what evaluators gave."""
    exchange, opinion = each.exchange, each.opinion
    judgements = {judgement.evaluator: dict(judgement.line.outputs) for judgement in each.judgements}
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
        **dict(zip(OWN_COLUMNS, own, strict=False)),
        **({"judgements": judgements} if judgements else {}),
    }


def _key(each: JoinedExchange) -> bytes:
    return digest_of_inputs(each.exchange.inputs)


def _rank(each: JoinedExchange) -> int:
    opinion = each.opinion
    return 2 if opinion.label is not None else 1 if opinion.positive is not None else 0
