"""``--filter``: the words by which people choose exchanges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.production.exchanges.lines import ExchangeFilter, JudgedBelow
from flowyard.production.exchanges.series import series
from flowyard.production.store.store import ProductionStore

__all__ = ["FILTERS", "with_filters"]

FILTERS = ("failed", "thumbs-down", "thumbs-up", "low-score", "low-judgement", "slow", "drifted", "sample")
_LOW_SCORE = 0.5
Drifted = Callable[[ExchangeFilter, str], frozenset[str]]
"""Gives the ids of the exchanges of a filter that drifted from a reference."""

_OR, _AND = re.compile(r"\s+or\s+"), re.compile(r"\s+and\s+")


def with_filters(
    store: ProductionStore,
    wanted: ExchangeFilter,
    words: Sequence[str],
    drifted: Drifted,
) -> ExchangeFilter:
    """The filter with what the words say, all of which has to hold; ``drifted`` gives the ids of those that drifted.

    ``failed``, ``thumbs-down``, ``thumbs-up``, ``low-score[:BELOW]`` (0.5), ``low-judgement:EVALUATOR[.FIELD]:BELOW``,
    ``slow[:SECONDS]`` (without, above the smallest 95th percentile among the versions), ``drifted[:REFERENCE]``,
    ``sample:N``. Several are joined by ``and`` and ``or``, of which ``and`` binds closer. Raises UserError for any
    other word.
    """
    for text in words:
        alternatives = [_AND.split(each) for each in _OR.split(text.strip())]
        if len(alternatives) == 1:
            wanted = _all_of(store, wanted, alternatives[0], drifted)
        else:
            plain = ExchangeFilter(wanted.flow, wanted.window, version=wanted.version)
            group = tuple(_all_of(store, plain, each, drifted) for each in alternatives)
            if any(each.sample is not None for each in group):
                raise UserError(
                    f"--filter {text!r}: a sample is drawn from all that is left.", hint="--filter sample:N"
                )
            wanted = replace(wanted, any_of=(*wanted.any_of, group))
    return wanted


def _all_of(store: ProductionStore, wanted: ExchangeFilter, words: Sequence[str], drifted: Drifted) -> ExchangeFilter:
    for word in words:
        wanted = _with_word(store, wanted, word, drifted)
    return wanted


def _with_word(store: ProductionStore, wanted: ExchangeFilter, word: str, drifted: Drifted) -> ExchangeFilter:
    """The filter with one more condition; of two bounds of one kind the narrower one holds."""
    name, colon, value = word.partition(":")
    if name == "failed" and not colon:
        return replace(wanted, failed=True)
    if name in ("thumbs-down", "thumbs-up") and not colon:
        is_positive = name == "thumbs-up"
        if wanted.positive is not None and wanted.positive is not is_positive:
            raise UserError("No feedback is both thumbs-up and thumbs-down.", hint="'thumbs-up or thumbs-down'")
        return replace(wanted, positive=is_positive)
    if name == "low-score":
        below = _number(word, value) if colon else _LOW_SCORE
        return replace(wanted, score_below=below if wanted.score_below is None else min(below, wanted.score_below))
    if name == "low-judgement":
        return replace(wanted, judged_below=(*wanted.judged_below, _judged_below(word, value)))
    if name == "slow":
        slower = _number(word, value) if colon else _usual_s(store, wanted)
        return replace(wanted, slower_than_s=max(slower, wanted.slower_than_s or 0.0))
    return _with_rest(wanted, word, drifted)


def _with_rest(wanted: ExchangeFilter, word: str, drifted: Drifted) -> ExchangeFilter:
    """The same for what is found by looking at many exchanges."""
    name, colon, value = word.partition(":")
    if name == "drifted" and (value or not colon):
        found = drifted(wanted, value)
        return replace(wanted, ids=found if wanted.ids is None else wanted.ids & found)
    if name == "sample" and value.isascii() and value.isdigit() and int(value):
        return replace(wanted, sample=min(int(value), wanted.sample or int(value)))
    raise _unknown(word, name)


def _judged_below(word: str, value: str) -> JudgedBelow:
    name, _, below = value.rpartition(":")
    if not name:
        raise UserError(
            f"--filter {word!r} needs an evaluator and a number.", hint="As in low-judgement:quality.score:3"
        )
    return JudgedBelow(name, _number(word, below))


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
