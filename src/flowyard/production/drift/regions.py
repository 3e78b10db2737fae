"""Which exchanges lie where there was little before: the ones to look at, and to test the next version on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from flowyard.production.drift.model import Bin, DriftReport, FeatureDrift, Observation, Value

__all__ = ["drifted_bins", "drifted_ids"]

_TIMES = 1.5
_MORE = 0.02


def drifted_ids(report: DriftReport, observed: Iterable[Observation]) -> frozenset[str]:
    """The ids of exchanges with a value of a drifted feature that is in one of its drifted bins.

    ``report`` is the comparison that the observations were in. Vectors have no bins, so that they choose nothing.
    """
    drifted = [(each, drifted_bins(each)) for each in report.drifted]
    by_version = {
        version: list(group)
        for version, group in groupby(sorted(drifted, key=lambda pair: pair[0].version), lambda pair: pair[0].version)
    }
    return frozenset(
        each.id
        for each in observed
        if any(_is_in(each.values.get(drift.feature), bins, drift) for drift, bins in by_version.get(each.version, ()))
    )


def drifted_bins(drift: FeatureDrift) -> tuple[Bin, ...]:
    """The bins that have at least one and a half times the share they had, and two points of a hundred more.

    Categories that were not there before count, too, however rare they are.
    """
    return tuple(
        each
        for each in drift.bins
        if each.current >= max(_TIMES * each.reference, each.reference + _MORE)
        or (drift.kind == "category" and each.reference == 0 < each.current)
    )


def _is_in(value: Value | None, bins: Iterable[Bin], drift: FeatureDrift) -> bool:
    if isinstance(value, float):
        return any(_holds(each, value) for each in bins)
    if isinstance(value, str):
        named = {each.label for each in drift.bins if not each.is_others}
        return any(value not in named if each.is_others else value == each.label for each in bins)
    return False


def _holds(each: Bin, value: float) -> bool:
    return (each.low is None or value > each.low) and (each.high is None or value <= each.high)
