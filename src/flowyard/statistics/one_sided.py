"""One-sided tests of a share that may be looked at after every event, and that notice a change which comes late.

For guardrails: is a share above its limit, or has it risen above it since some time? An e-value of 1 / alpha or more
says so, with a chance of at most alpha to be wrong, ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flowyard.statistics.inputs import require_count, require_probability

__all__ = ["ShareSlice", "above_limit_log_e_value", "iter_above_limit_log_e_values"]

_ODDS = (1.25, 1.5, 2.0, 4.0, 10.0)
"""How many times larger than at the limit the odds are in the alternatives; they are averaged."""


class ShareSlice(NamedTuple):
    """Counts of a span of time: ``events`` and ``others``, and the limit of the share of events in it, in (0, 1)."""

    events: float
    others: float
    limit: float


def above_limit_log_e_value(slices: Iterable[ShareSlice]) -> float:
    """log e of "the share of events is at most its limit in every slice", exact; slices in the order of time.

    Each alternative is a likelihood ratio of events at larger odds. The change may begin with any slice, with the j-th
    by a weight of 1 / (j (j + 1)), so that much good news from before does not hide it: a mixture over the times of
    change, as in Shin, Ramdas and Rinaldo 2023, "E-detectors", with weights that sum to 1, which keeps the level for
    all time.
    Slices without events and others count for nothing; without any it is 0. ValueError for no count and no limit.
    """
    log_e = 0.0
    for log_e in iter_above_limit_log_e_values(slices):  # noqa: B007 - the last is the one
        pass
    return log_e


def iter_above_limit_log_e_values(slices: Iterable[ShareSlice]) -> Iterator[float]:
    """The same after each slice."""
    grown = [-math.inf] * len(_ODDS)
    number = 0
    for events, others, limit in slices:
        require_count(events, "events")
        require_count(others, "others")
        require_probability(limit, "limit")
        if events + others > 0:
            number += 1
            _grow(grown, number, ShareSlice(events, others, limit))
        yield _log_sum(_log_mean(grown), -math.log(number + 1))


def _grow(grown: list[float], number: int, counts: ShareSlice) -> None:
    """Add the change that begins with this slice to those of each alternative, and what all gain by it."""
    events, others, limit = counts
    weight = -math.log(number * (number + 1))
    for place, odds in enumerate(_ODDS):
        scale = 1 - limit + odds * limit
        gained = events * math.log(odds / scale) - others * math.log(scale)
        grown[place] = _log_sum(grown[place], weight) + gained


def _log_sum(first: float, second: float) -> float:
    larger, smaller = max(first, second), min(first, second)
    return larger if smaller == -math.inf else larger + math.log1p(math.exp(smaller - larger))


def _log_mean(values: list[float]) -> float:
    largest = max(values)
    if largest == -math.inf:
        return largest
    return largest + math.log(math.fsum(math.exp(value - largest) for value in values) / len(values))
