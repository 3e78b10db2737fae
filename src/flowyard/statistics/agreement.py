"""Do a judge and people agree, beyond what chance would give? ``first`` and ``second`` rate the same lines."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from flowyard.statistics.inputs import Bounds, require_probability
from flowyard.statistics.proportions import wilson_interval
from flowyard.statistics.special import normal_quantile

__all__ = ["Agreement", "ConfusionMatrix", "Share", "Weights", "cohen_kappa", "confusion_matrix"]

Weights = Literal["linear", "quadratic"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``kappa`` is 1 for full agreement, 0 for that of chance, and NaN where it is not defined.

    ``observed`` and ``expected`` are (weighted) shares of agreement; ``interval`` is kappa's, within -1..1.
    """

    kappa: float
    standard_error: float
    interval: Bounds
    observed: float
    expected: float
    lines: int


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    weights: Weights | None = None,
    labels: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Agreement:
    """Cohen's kappa (1960), or weighted kappa (1968) for ordered labels, with its large-sample standard error.

    Standard errors are those of Fleiss, Cohen and Everitt 1969. ``labels`` gives the order and is needed for weights,
    which count places in it. No lines, or one label only: kappa is NaN and the interval (-1, 1), for nothing is known.
    ValueError for lengths that differ, for a value outside ``labels``, and for weights without labels.
    """
    require_probability(confidence, "confidence")
    if weights is not None and labels is None:
        raise ValueError("weights need the order of the labels")
    table = confusion_matrix(first, second, labels).counts
    lines, size = len(first), len(table)
    if lines == 0:
        return Agreement(math.nan, math.nan, Bounds(-1.0, 1.0), math.nan, math.nan, 0)
    rows = [sum(row) / lines for row in table]
    columns = [sum(row[place] for row in table) / lines for place in range(size)]
    agreed = [[_weight(i, j, size, weights) for j in range(size)] for i in range(size)]
    cells = [(i, j) for i in range(size) for j in range(size)]
    observed = math.fsum(agreed[i][j] * table[i][j] / lines for i, j in cells)
    expected = math.fsum(agreed[i][j] * rows[i] * columns[j] for i, j in cells)
    if 1 - expected < 1e-12:
        return Agreement(math.nan, math.nan, Bounds(-1.0, 1.0), observed, expected, lines)
    row_weights = [math.fsum(agreed[i][j] * columns[j] for j in range(size)) for i in range(size)]
    column_weights = [math.fsum(agreed[i][j] * rows[i] for i in range(size)) for j in range(size)]
    spread = math.fsum(
        table[i][j]
        / lines
        * (agreed[i][j] * (1 - expected) - (row_weights[i] + column_weights[j]) * (1 - observed)) ** 2
        for i, j in cells
    )
    variance = spread - (observed * expected - 2 * expected + observed) ** 2
    error = math.sqrt(max(0.0, variance) / lines) / (1 - expected) ** 2
    kappa = (observed - expected) / (1 - expected)
    half = normal_quantile((1 + confidence) / 2) * error
    interval = Bounds(max(-1.0, kappa - half), min(1.0, kappa + half))
    return Agreement(kappa, error, interval, observed, expected, lines)


def _weight(i: int, j: int, size: int, weights: Weights | None) -> float:
    if weights is None or size < 2:
        return float(i == j)
    apart = abs(i - j) / (size - 1)
    return 1 - (apart if weights == "linear" else apart * apart)


@dataclass(frozen=True, slots=True)
class Share:
    """``part`` of ``whole`` lines; ``value`` is NaN for none, and then the interval is (0, 1)."""

    part: int
    whole: int
    value: float
    interval: Bounds


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """``counts[i][j]``: lines with ``labels[i]`` in truth that were given ``labels[j]``.

    ``recalls[i]`` is the share of the lines of label i that were given it, ``precisions[j]`` the share of those given
    label j that have it; for two labels these are sensitivity and specificity, and the predictive values.
    """

    labels: tuple[Hashable, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracy: Share
    recalls: tuple[Share, ...]
    precisions: tuple[Share, ...]


def confusion_matrix(
    truth: Sequence[Hashable],
    given: Sequence[Hashable],
    labels: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> ConfusionMatrix:
    """Counts of what was given for what is true, with Wilson intervals. Labels are sorted by their text unless given.

    ValueError for lengths that differ, labels twice, and a value outside ``labels``.
    """
    if len(truth) != len(given):
        raise ValueError(f"{len(truth)} labels cannot be compared with {len(given)}")
    names = tuple(sorted({*truth, *given}, key=lambda label: (str(label), repr(label))) if labels is None else labels)
    places = {label: place for place, label in enumerate(names)}
    if len(places) != len(names):
        raise ValueError("a label stands twice among the labels")
    counts = [[0] * len(names) for _ in names]
    for true, seen in zip(truth, given, strict=True):
        if true not in places or seen not in places:
            raise ValueError(f"{true!r} or {seen!r} is not one of the labels")
        counts[places[true]][places[seen]] += 1
    right = [counts[place][place] for place in range(len(names))]
    columns = [sum(row[place] for row in counts) for place in range(len(names))]
    return ConfusionMatrix(
        names,
        tuple(tuple(row) for row in counts),
        _share(sum(right), len(truth), confidence),
        tuple(_share(part, sum(row), confidence) for part, row in zip(right, counts, strict=True)),
        tuple(_share(part, column, confidence) for part, column in zip(right, columns, strict=True)),
    )


def _share(part: int, whole: int, confidence: float) -> Share:
    return Share(part, whole, part / whole if whole else math.nan, wilson_interval(part, whole, confidence))
