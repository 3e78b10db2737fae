"""Comparing each feature of each version with the reference."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flowyard._util.numbers import percent_text
from flowyard.production.drift.model import (
    Bin,
    DriftReport,
    DriftSettings,
    FeatureDrift,
    FeatureKind,
    Observation,
    Value,
)
from flowyard.statistics.corrections import holm
from flowyard.statistics.percentiles import percentile
from flowyard.statistics.two_distributions import (
    chi_square_homogeneity,
    energy_test,
    kolmogorov_smirnov,
    stability_index,
)

__all__ = ["compare"]

_PARTS = 10
_MOST_CATEGORIES = 30
_REPEATED = 5
"""A text is a category when its values come at least so often on average in the reference."""
_MOST_VECTORS = 200


def compare(
    reference: Iterable[Observation], current: Iterable[Observation], settings: DriftSettings | None = None
) -> DriftReport:
    """Each feature that both sides have, version by version, with p-values corrected by Holm over all of them.

    What has but one value on both sides is not tested. Of vectors at most 200 of each side are compared.
    """
    settings = settings or DriftSettings()
    before = list(reference)
    columns = _columns(before)
    versions: dict[str, list[Observation]] = defaultdict(list)
    for each in current:
        versions[each.version].append(each)
    found: list[FeatureDrift] = []
    for version, observed in sorted(versions.items()):
        now = _columns(observed)
        for feature in sorted(columns.keys() & now.keys()):
            if not settings.features or feature.startswith(settings.features):
                found += _compared(version, feature, columns, now, settings)
    corrected = holm([each.p_value for each in found])
    simulated = _simulated([*before, *(each for observed in versions.values() for each in observed)])
    judged = [
        replace(_judged(each, p_value, settings), is_simulated=each.feature in simulated)
        for each, p_value in zip(found, corrected, strict=True)
    ]
    judged.sort(key=lambda each: (not each.is_drifted, -each.effect, each.feature, each.version))
    counts = {version: len(observed) for version, observed in sorted(versions.items())}
    least = settings.min_records
    too_few = [version for version, count in counts.items() if count < least or len(before) < least]
    return DriftReport(judged, len(before), counts, too_few)


def _columns(observed: Iterable[Observation]) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = defaultdict(list)
    for each in observed:
        for name, value in each.values.items():
            found[name].append(value)
    return found


def _simulated(observed: Iterable[Observation]) -> set[str]:
    """The features of which some values were made by a simulated model."""
    return {name for each in observed for name in each.simulated}


def _judged(each: FeatureDrift, p_value: float, settings: DriftSettings) -> FeatureDrift:
    least = settings.vector_effect if each.kind == "vector" else settings.effect
    return replace(each, p_value=p_value, is_drifted=p_value <= settings.alpha and each.effect >= least)


def _compared(
    version: str,
    feature: str,
    reference: Mapping[str, Sequence[Value]],
    current: Mapping[str, Sequence[Value]],
    settings: DriftSettings,
) -> Iterable[FeatureDrift]:
    """One test, or none: of too few values, of several kinds, of free texts, or of what its categories say already."""
    before, now = reference[feature], current[feature]
    kind = _kind(before, now)
    if kind is None or min(len(before), len(now)) < settings.min_records or set(before) == set(now) == {before[0]}:
        return []
    if kind == "category" and not _is_category(before):
        return []
    text, dot, last = feature.rpartition(".")
    if dot and last in ("length", "script") and _has_categories(reference.get(text, ())):
        return []  # its values are compared themselves
    result = _TESTS[kind](before, now)
    if result is None:
        return []
    p_value, effect, bins = result.p_value, result.effect, result.bins
    texts = (_said(kind, before), _said(kind, now))
    return [FeatureDrift(version, feature, kind, len(before), len(now), effect, p_value, False, *texts, bins=bins)]


def _kind(before: Sequence[Value], now: Sequence[Value]) -> FeatureKind | None:
    """The kind of all values; None when they are of several."""
    kinds = {type(value) for value in (*before, *now)}
    if kinds == {float}:
        return "number"
    if kinds == {str}:
        return "category"
    return "vector" if kinds == {tuple} else None


def _is_category(values: Sequence[Value]) -> bool:
    different = len(set(values))
    return different <= _MOST_CATEGORIES and different * _REPEATED <= len(values)


def _has_categories(values: Sequence[Value]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values) and _is_category(values)


@dataclass(frozen=True, slots=True)
class _Result:
    p_value: float
    effect: float
    bins: tuple[Bin, ...] = ()


def _numbers(before: Sequence[Value], now: Sequence[Value]) -> _Result:
    left, right = ([value for value in values if isinstance(value, float)] for values in (before, now))
    ordered = sorted(left)
    edges = sorted({percentile(ordered, 100 * part / _PARTS) for part in range(1, _PARTS)})
    counts = [_counted(values, edges) for values in (left, right)]
    lows, highs = [None, *edges], [*edges, None]
    bins = tuple(
        Bin(_range_text(low, high), counts[0][place] / len(left), counts[1][place] / len(right), low, high)
        for place, (low, high) in enumerate(zip(lows, highs, strict=True))
    )
    return _Result(kolmogorov_smirnov(left, right).p_value, stability_index(counts[0], counts[1]), bins)


def _counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values are in each part; an edge belongs to the part below it."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    return counts


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return "all" if high is None else f"up to {high:.4g}"
    return f"above {low:.4g}" if high is None else f"{low:.4g} to {high:.4g}"


def _categories(before: Sequence[Value], now: Sequence[Value]) -> _Result:
    left, right = Counter(map(str, before)), Counter(map(str, now))
    known = sorted(left | right, key=lambda value: (-left[value] / len(before) - right[value] / len(now), value))
    shown, others = known[:_MOST_CATEGORIES], known[_MOST_CATEGORIES:]
    counts = [[each[value] for value in shown] for each in (left, right)]
    labels = list(shown)
    if others:
        labels.append("(others)")
        for values, each in zip(counts, (left, right), strict=True):
            values.append(sum(each[value] for value in others))
    bins = tuple(
        Bin(label, one / len(before), other / len(now), is_others=place >= len(shown))
        for place, (label, one, other) in enumerate(zip(labels, *counts, strict=True))
    )
    return _Result(chi_square_homogeneity(counts[0], counts[1]).p_value, stability_index(counts[0], counts[1]), bins)


def _vectors(before: Sequence[Value], now: Sequence[Value]) -> _Result | None:
    left, right = (
        [value for value in values if isinstance(value, tuple)][:: max(1, -(-len(values) // _MOST_VECTORS))]
        for values in (before, now)
    )
    if len({len(vector) for vector in (*left, *right)}) != 1:
        return None
    found = energy_test(left, right)
    return _Result(found.p_value, found.coefficient)


_TESTS = {"number": _numbers, "category": _categories, "vector": _vectors}


def _said(kind: FeatureKind, values: Sequence[Value]) -> str:
    """A sample in a few letters: the median, or the most frequent category."""
    if kind == "number":
        return f"{statistics.median(value for value in values if isinstance(value, float)):.4g}"
    if kind == "category":
        value, count = Counter(map(str, values)).most_common(1)[0]
        return f"{value} {percent_text(count / len(values))}"
    return f"{len(values)} vectors"
