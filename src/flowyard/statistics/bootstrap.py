"""Intervals from resampled lines: seeded, vectorised, in bounded memory (about 32 MB whatever the numbers are).

BCa (bias-corrected and accelerated, Efron 1987) is the default: it mends the bias and skewness that a plain percentile
interval keeps. A bootstrap is too narrow for few lines, as if the variance were known: levels are therefore expanded by
what Student's t is wider than the normal distribution (Hesterberg 2015, "What teachers should know about the
bootstrap", 5.3). Lines are resampled, never the repeats of a line: average those first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowyard.statistics.inputs import Bounds, require_finite, require_probability
from flowyard.statistics.special import normal_cdf, normal_quantile, student_t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "RESAMPLES",
    "Statistic",
    "bca_interval",
    "bootstrap_interval",
    "cluster_interval",
    "mean_interval",
    "resampled_lines",
]

RESAMPLES = 2_000
_CELLS_AT_ONCE = 2_000_000

Statistic = Callable[..., "NDArray[Any]"]
"""Takes one array for each column, of shape (resamples, lines), and gives an array of shape (resamples,)."""


def mean_interval(
    values: Sequence[float], confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Bounds:
    """BCa interval of the mean, for paired differences above all.

    One line: no ends. Equal values: the point itself. ValueError without lines.
    """
    import numpy  # noqa: PLC0415 - heavy

    _require_resampling(confidence, resamples)
    data = numpy.array(require_finite(values, "values", at_least=1))
    if len(data) == 1:
        return Bounds(-math.inf, math.inf)
    if data.min() == data.max():
        return Bounds(float(data[0]), float(data[0]))
    centered = data - data.mean()
    means = numpy.concatenate(list(_resampled_means(data, resamples, seed)))
    return bca_interval(float(data.mean()), means, _acceleration(centered), confidence, len(data))


def _resampled_means(data: NDArray[Any], resamples: int, seed: int) -> Iterator[NDArray[Any]]:
    """Means of resampled lines. Few distinct values are drawn as counts, which costs nothing for grades."""
    import numpy  # noqa: PLC0415 - heavy

    generator = numpy.random.default_rng(seed)
    distinct, counts = numpy.unique(data, return_counts=True)
    if len(distinct) * 8 <= len(data):
        shares = counts / counts.sum()
        for rows in _portions(resamples, len(distinct)):
            yield generator.multinomial(len(data), shares, size=rows) @ distinct / len(data)
        return
    for chosen in resampled_lines(len(data), resamples, seed):
        yield data[chosen].mean(axis=1)


def resampled_lines(lines: int, resamples: int, seed: int, columns: int = 1) -> Iterator[NDArray[Any]]:
    """Line numbers drawn with replacement, arrays of shape (some resamples, lines), ``resamples`` rows in all.

    ``columns`` says how many columns will be read by each array, so that they fit the memory too.
    """
    import numpy  # noqa: PLC0415 - heavy

    generator = numpy.random.default_rng(seed)
    for rows in _portions(resamples, lines * columns):
        yield generator.integers(0, lines, size=(rows, lines), dtype=numpy.int32)


def bootstrap_interval(
    statistic: Statistic,
    *columns: Sequence[float],
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bounds:
    """BCa interval of any statistic of lines; ``columns`` have one value for each line and are resampled together.

    A statistic that gives NaN for a resample (a ratio over nothing) is left out of the distribution; if it does for
    more than half, or for the data, ValueError. One line: no ends. Equal resamples: the point itself.
    """
    import numpy  # noqa: PLC0415 - heavy

    _require_resampling(confidence, resamples)
    if not columns or len({len(column) for column in columns}) != 1:
        raise ValueError("columns have to be there, of one length")
    data = [numpy.array(require_finite(column, "a column", at_least=1)) for column in columns]
    lines = len(data[0])
    estimate = float(statistic(*(column[None, :] for column in data))[0])
    if lines == 1:
        return Bounds(-math.inf, math.inf)
    drawn = resampled_lines(lines, resamples, seed, len(data))
    parts = [statistic(*(column[chosen] for column in data)) for chosen in drawn]
    left_out = _left_one_out(statistic, data)
    known = _known(numpy.concatenate(parts), estimate)
    return bca_interval(estimate, known, _acceleration_of(left_out), confidence, lines)


def _left_one_out(statistic: Statistic, data: list[NDArray[Any]]) -> NDArray[Any]:
    """The statistic without each line in turn."""
    import numpy  # noqa: PLC0415 - heavy

    lines, start, parts = len(data[0]), 0, []
    for rows in _portions(lines, lines * len(data)):
        left = numpy.arange(start, start + rows)[:, None]
        others = numpy.arange(lines - 1)[None, :]
        chosen = others + (others >= left)
        parts.append(statistic(*(column[chosen] for column in data)))
        start += rows
    values: NDArray[Any] = numpy.concatenate(parts)
    return values


def _known(resampled: NDArray[Any], estimate: float) -> NDArray[Any]:
    import numpy  # noqa: PLC0415 - heavy

    known: NDArray[Any] = resampled[~numpy.isnan(resampled)]
    if math.isnan(estimate) or len(known) * 2 < len(resampled):
        raise ValueError("the statistic is not defined for these lines")
    return known


def cluster_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bounds:
    """BCa interval of the mean over all lines when lines of one cluster (conversation, document, user) are alike.

    Whole clusters are resampled (Davison and Hinkley 1997, 3.8); the mean weighs lines, so large clusters weigh more.
    One cluster: no ends. ValueError without lines and for lengths that differ.
    """
    import numpy  # noqa: PLC0415 - heavy

    _require_resampling(confidence, resamples)
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values cannot lie in clusters of {len(clusters)} lines")
    data = numpy.array(require_finite(values, "values", at_least=1))
    places: dict[Hashable, int] = {}
    owners = numpy.array([places.setdefault(cluster, len(places)) for cluster in clusters])
    if len(places) == 1:
        return Bounds(-math.inf, math.inf)
    sums = numpy.bincount(owners, weights=data)
    sizes = numpy.bincount(owners).astype(float)

    def mean_of_lines(totals: NDArray[Any], lines: NDArray[Any]) -> NDArray[Any]:
        means: NDArray[Any] = totals.sum(axis=-1) / lines.sum(axis=-1)
        return means

    return bootstrap_interval(
        mean_of_lines, sums.tolist(), sizes.tolist(), confidence=confidence, resamples=resamples, seed=seed
    )


def bca_interval(
    estimate: float,
    resampled: NDArray[Any],
    acceleration: float,
    confidence: float = 0.95,
    lines: int | None = None,
) -> Bounds:
    """The BCa interval of an estimate from its resampled values (Efron and Tibshirani 1993, 14.3).

    ``lines`` (2 or more) expands the levels for so few of them. Where all resampled values lie on one side of the
    estimate, the interval ends at their extreme.
    """
    import numpy  # noqa: PLC0415 - heavy

    require_probability(confidence, "confidence")
    if resampled.min() == resampled.max():
        return Bounds(float(resampled.min()), float(resampled.max()))
    below = (float((resampled < estimate).mean()) + float((resampled <= estimate).mean())) / 2
    bias, size = normal_quantile(below), _critical(confidence, lines)
    low, high = numpy.quantile(resampled, [_bca_level(bias, acceleration, z) for z in (-size, size)])
    return Bounds(float(low), float(high))


def _critical(confidence: float, lines: int | None) -> float:
    if lines is None:
        return normal_quantile((1 + confidence) / 2)
    return math.sqrt(lines / (lines - 1)) * student_t_quantile((1 + confidence) / 2, lines - 1)


def _bca_level(bias: float, acceleration: float, z: float) -> float:
    if math.isinf(bias):
        return 1.0 if bias > 0 else 0.0
    shifted = bias + z
    room = 1 - acceleration * shifted
    if room <= 0:  # so skewed that the corrected level runs past the last value
        return 1.0 if shifted > 0 else 0.0
    return normal_cdf(bias + shifted / room)


def _acceleration(influences: NDArray[Any]) -> float:
    """Efron's acceleration from each line's influence on the estimate, which sums to 0."""
    largest = float(abs(influences).max())
    if largest == 0:
        return 0.0
    scaled = influences / largest  # powers of very small or large numbers leave a float's range
    squares = float((scaled**2).sum())
    return float((scaled**3).sum()) / (6 * squares * math.sqrt(squares))


def _acceleration_of(left_out: NDArray[Any]) -> float:
    import numpy  # noqa: PLC0415 - heavy

    known = left_out[~numpy.isnan(left_out)]
    return _acceleration(known.mean() - known) if len(known) else 0.0


def _portions(rows: int, columns: int) -> Iterator[int]:
    """How many rows are made at once, so that the memory stays bounded."""
    at_once = max(1, _CELLS_AT_ONCE // max(1, columns))
    for start in range(0, rows, at_once):
        yield min(at_once, rows - start)


def _require_resampling(confidence: float, resamples: int) -> None:
    require_probability(confidence, "confidence")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; at least 1 is needed")
