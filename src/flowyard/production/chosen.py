"""``--filter``: the words by which people choose exchanges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.production.lines import ExchangeFilter
from flowyard.production.series import series
from flowyard.production.store import ProductionStore

__all__ = ["FILTERS", "with_filters"]

FILTERS = ("failed", "thumbs-down", "thumbs-up", "low-score", "slow", "drifted", "sample")
_LOW_SCORE = 0.5


def with_filters(
    store: ProductionStore,
    wanted: ExchangeFilter,
    words: Sequence[str],
    drifted: Callable[[ExchangeFilter, str], frozenset[str]],
) -> ExchangeFilter:
    """The filter with what the words say, all of which has to hold; ``drifted`` gives the ids of those that drifted.

    ``failed``, ``thumbs-down``, ``thumbs-up``, ``low-score[:BELOW]`` (0.5), ``slow[:SECONDS]`` (without, above the
    smallest 95th percentile among the versions), ``drifted[:REFERENCE]`` (the time before, as long as the window),
    ``sample:N``. Raises UserError for any other word.
    """
    changes: dict[str, Any] = {}
    for word in words:
        name, colon, value = word.partition(":")
        if name == "failed" and not colon:
            changes["failed"] = True
        elif name in ("thumbs-down", "thumbs-up") and not colon:
            changes["positive"] = name == "thumbs-up"
        elif name == "low-score":
            changes["score_below"] = _number(word, value) if colon else _LOW_SCORE
        elif name == "slow":
            changes["slower_than_s"] = _number(word, value) if colon else _usual_s(store, wanted)
        elif name == "drifted" and (value or not colon):
            changes["ids"] = drifted(wanted, value)
        elif name == "sample" and value.isascii() and value.isdigit() and int(value):
            changes["sample"] = int(value)
        else:
            raise _unknown(word, name)
    return replace(wanted, **changes)


def _number(word: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"--filter {word!r} needs a number.", hint="As in slow:2.5 or low-score:0.5")
    return number


def _usual_s(store: ProductionStore, wanted: ExchangeFilter) -> float:
    """What nineteen of twenty requests do not exceed, of the version that is asked for or the fastest one."""
    found = series(store, wanted.flow, wanted.window)
    times = [each.latency_p95_s for each in found if wanted.version in (None, each.group)]
    return min((time for time in times if time is not None), default=0.0)


def _unknown(word: str, name: str) -> UserError:
    near = did_you_mean(name, FILTERS) if name not in FILTERS else "As in sample:100; failed and thumbs-… take no value"
    return UserError(f"--filter cannot be {word!r}.", hint=near or f"Known: {', '.join(FILTERS)}.")
