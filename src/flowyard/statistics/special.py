"""Distributions: normal, Student t, beta, binomial, chi-square. Pure Python, so that a decision needs no heavy import.

Relative error is around 1e-12 in the ranges that tests meet. Densities use Loader's saddle-point form ("Fast and
accurate computation of binomial probabilities", 2000), which keeps its digits for counts of millions where differences
of ``lgamma`` lose them.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

from flowyard.statistics.inputs import require_positive, require_probability

__all__ = [
    "beta_cdf",
    "beta_quantile",
    "binomial_cdf",
    "binomial_pmf",
    "binomial_sf",
    "chi_square_sf",
    "normal_cdf",
    "normal_quantile",
    "normal_sf",
    "student_t_cdf",
    "student_t_quantile",
    "student_t_sf",
]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_TINY = 1e-300
_EPSILON = 1e-16
_MOST_STEPS = 1_000_000
_NORMAL = NormalDist()


def normal_cdf(z: float) -> float:
    """P(Z <= z) of a standard normal; by erfc, so that far tails keep their digits."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_sf(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """z with P(Z <= z) = probability; infinite at 0 and 1 (Wichura 1988, AS 241, as in the standard library)."""
    require_probability(probability, "probability", closed=True)
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return _NORMAL.inv_cdf(probability)


def _stirling_error(n: float) -> float:
    """log(n!) minus Stirling's formula."""
    if n <= 15:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - _HALF_LOG_TWO_PI
    square = n * n
    tail = 1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 / square) / square) / square
    return (1 / 12 - (1 / 360 - tail / square) / square) / n


def _deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x, without cancellation when x is near the mean."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    ratio = (x - mean) / (x + mean)
    total = (x - mean) * ratio
    term, square, step = 2 * x * ratio, ratio * ratio, 1
    while True:
        term *= square
        following = total + term / (2 * step + 1)
        if following == total:
            return total
        total, step = following, step + 1


def _binomial_density(k: float, n: float, p: float, q: float) -> float:
    """n! / (k! (n-k)!) p^k q^(n-k) for real 0 < k < n; ``q`` is 1 - p, given so that a tiny q keeps its digits."""
    log_weight = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    log_weight -= _deviance(k, n * p) + _deviance(n - k, n * q)
    return math.exp(log_weight) * math.sqrt(n / (2 * math.pi * k * (n - k)))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method (Numerical Recipes, 6.4)."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + even * d)
        c = _away_from_zero(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_zero(1 + odd * d)
        c = _away_from_zero(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 3 * _EPSILON:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _beta_tails(x: float, y: float, a: float, b: float) -> tuple[float, float]:
    """(I_x(a, b), 1 - I_x(a, b)) with y = 1 - x given apart; the smaller of the two keeps its digits."""
    if x <= 0:
        return 0.0, 1.0
    if y <= 0:
        return 1.0, 0.0
    density = a * b / (a + b) * _binomial_density(a, a + b, x, y)
    if x < (a + 1) / (a + b + 2):
        lower = density * _beta_fraction(x, a, b) / a
        return lower, 1 - lower
    upper = density * _beta_fraction(y, b, a) / b
    return 1 - upper, upper


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b). ValueError unless 0 <= x <= 1 and a, b > 0."""
    require_probability(x, "x", closed=True)
    return _beta_tails(x, 1 - x, require_positive(a, "a"), require_positive(b, "b"))[0]


def beta_quantile(probability: float, a: float, b: float) -> float:
    """x with I_x(a, b) = probability: Newton steps, kept inside a bracket that is halved when one leaves it."""
    require_probability(probability, "probability", closed=True)
    require_positive(a, "a")
    require_positive(b, "b")
    if probability in (0, 1):
        return float(probability)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(1100):
        off = beta_cdf(x, a, b) - probability
        low, high = (low, x) if off > 0 else (x, high)
        following = _newton_step(x, off, a, b)
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= 1e-15 * x or high - low <= 1e-15 * high:
            return following
        x = following
    return x


def _newton_step(x: float, off: float, a: float, b: float) -> float:
    """Where a Newton step from x leads; NaN where the density is 0."""
    density = a * b / (a + b) * _binomial_density(a, a + b, x, 1 - x) / (x * (1 - x)) if 0 < x < 1 else 0.0
    return x - off / density if density > 0 else math.nan


def student_t_sf(t: float, degrees_of_freedom: float) -> float:
    """P(T > t). ValueError unless the degrees of freedom are above 0."""
    require_positive(degrees_of_freedom, "degrees_of_freedom")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    square = t * t
    x = degrees_of_freedom / (degrees_of_freedom + square)
    both_tails = _beta_tails(x, square / (degrees_of_freedom + square), degrees_of_freedom / 2, 0.5)[0]
    return both_tails / 2 if t >= 0 else 1 - both_tails / 2


def student_t_cdf(t: float, degrees_of_freedom: float) -> float:
    """P(T <= t)."""
    return student_t_sf(-t, degrees_of_freedom)


@functools.lru_cache(maxsize=4096)  # a comparison asks for the same few again and again
def student_t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """t with P(T <= t) = probability; infinite at 0 and 1."""
    require_probability(probability, "probability", closed=True)
    require_positive(degrees_of_freedom, "degrees_of_freedom")
    tail = min(probability, 1 - probability)
    if tail == 0:
        size = math.inf
    elif tail < 0.25:
        x = beta_quantile(2 * tail, degrees_of_freedom / 2, 0.5)
        size = math.sqrt(degrees_of_freedom * (1 - x) / x)
    else:
        y = beta_quantile(1 - 2 * tail, 0.5, degrees_of_freedom / 2)
        size = math.sqrt(degrees_of_freedom * y / (1 - y))
    return size if probability > 0.5 else -size


def binomial_pmf(k: int, n: int, p: float) -> float:
    """P(K = k) of n trials with chance p. ValueError unless 0 <= k <= n and 0 <= p <= 1."""
    _require_trials(k, n, p)
    if p in (0, 1):
        return 1.0 if k == n * p else 0.0
    if k == 0:
        return math.exp(n * math.log1p(-p))
    if k == n:
        return math.exp(n * math.log(p))
    return _binomial_density(k, n, p, 1 - p)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(K <= k) of n trials with chance p."""
    _require_trials(k, n, p)
    return 1.0 if k == n else _beta_tails(1 - p, p, n - k, k + 1)[0]


def binomial_sf(k: int, n: int, p: float) -> float:
    """P(K > k) of n trials with chance p."""
    _require_trials(k, n, p)
    return 0.0 if k == n else _beta_tails(p, 1 - p, k + 1, n - k)[0]


def _require_trials(k: int, n: int, p: float) -> None:
    require_probability(p, "p", closed=True)
    if k != int(k) or n != int(n) or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no number of successes in trials")


def chi_square_sf(x: float, degrees_of_freedom: float) -> float:
    """P(X > x) of a chi-square distribution; the regularised upper incomplete gamma function at x / 2.

    ValueError for x < 0 or NaN, and unless the degrees of freedom are above 0.
    """
    a, half = require_positive(degrees_of_freedom, "degrees_of_freedom") / 2, x / 2
    if not x >= 0:
        raise ValueError(f"x is {x}; it must not be negative")
    if half == 0:
        return 1.0
    if math.isinf(half):
        return 0.0
    density = math.exp(-_stirling_error(a) - _deviance(a, half)) * math.sqrt(a / (2 * math.pi))
    if half < a + 1:
        return 1 - density * _gamma_series(half, a)
    return density * _gamma_fraction(half, a)


def _gamma_series(x: float, a: float) -> float:
    """The series of the lower incomplete gamma function, over x^a e^-x / Gamma(a)."""
    total = term = 1 / a
    for step in range(1, _MOST_STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _EPSILON:
            break
    return total


def _gamma_fraction(x: float, a: float) -> float:
    """The continued fraction of the upper incomplete gamma function, over x^a e^-x / Gamma(a)."""
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for step in range(1, _MOST_STEPS):
        weight = -step * (step - a)
        b += 2
        d = 1 / _away_from_zero(weight * d + b)
        c = _away_from_zero(b + weight / c)
        value *= d * c
        if abs(d * c - 1) < 3 * _EPSILON:
            break
    return value
