"""Tests of two distributions: against scipy, by counting all orders, and on samples with and without a difference."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from flowyard.statistics.two_distributions import (
    chi_square_homogeneity,
    energy_test,
    kolmogorov_sf,
    kolmogorov_smirnov,
    stability_index,
)

patient = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=80)


@patient
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40, unique=True),
    st.lists(st.floats(2e6, 3e6), min_size=1, max_size=40, unique=True),
    st.randoms(use_true_random=False),
)
def test_kolmogorov_smirnov_is_scipys_without_ties(first: list[float], second: list[float], order: random.Random):
    values = first + second
    order.shuffle(values)
    left, right = values[: len(first)], values[len(first) :]
    ours, theirs = kolmogorov_smirnov(left, right), stats.ks_2samp(left, right, method="exact")
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_with_ties_all_orders_are_counted(seed: int):
    numbers = random.Random(seed)
    values = [numbers.randint(0, 3) for _ in range(9)]
    found = kolmogorov_smirnov(values[:4], values[4:])

    def distance(chosen: Sequence[int]) -> float:
        rest = [place for place in range(9) if place not in chosen]
        ends = set(values)
        return max(
            abs(sum(values[i] <= end for i in chosen) / 4 - sum(values[i] <= end for i in rest) / 5) for end in ends
        )

    orders = [distance(chosen) for chosen in itertools.combinations(range(9), 4)]
    assert found.statistic == pytest.approx(distance(range(4)))
    assert found.p_value == pytest.approx(sum(each >= found.statistic - 1e-9 for each in orders) / len(orders))


@patient
@given(st.floats(0.05, 6))
def test_kolmogorovs_limit(x: float):
    assert kolmogorov_sf(x) == pytest.approx(special.kolmogorov(x), abs=1e-9)


def test_large_samples_are_near_scipys():
    numbers = numpy.random.default_rng(3)
    left, right = numbers.normal(size=700), numbers.normal(0.1, size=900)
    theirs = stats.ks_2samp(left, right, method="exact").pvalue
    assert kolmogorov_smirnov(left.tolist(), right.tolist()).p_value == pytest.approx(theirs, abs=0.01)


counts = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), min_size=2, max_size=8)


@patient
@given(counts)
def test_chi_square_is_scipys(pairs: list[tuple[int, int]]):
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    found = chi_square_homogeneity(first, second, permutations=99)
    known = [pair for pair in pairs if sum(pair)]
    if not sum(first) or not sum(second) or len(known) < 2:
        assert found.p_value == 1
        return
    theirs = stats.chi2_contingency(numpy.array(known).T, correction=False)
    assert found.statistic == pytest.approx(theirs.statistic, abs=1e-8)
    if theirs.expected_freq.min() >= 5:
        assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second"), [((3, 9), (9, 2)), ((1, 12), (6, 4)), ((0, 20), (3, 9)), ((2, 3), (3, 2))]
)
def test_of_few_values_tables_are_drawn(first: tuple[int, int], second: tuple[int, int]):
    """Against the chances of all tables with these sums."""
    total, ones, n = sum(first) + sum(second), first[0] + second[0], sum(first)
    chances = stats.hypergeom(total, ones, n)
    expected = ones * n / total
    exact = sum(chances.pmf(k) for k in range(ones + 1) if abs(k - expected) >= abs(first[0] - expected) - 1e-9)
    assert chi_square_homogeneity(first, second).p_value == pytest.approx(exact, abs=0.015)


def test_a_new_category_is_found_among_few_values():
    assert chi_square_homogeneity([500, 0], [90, 10]).p_value == 1 / 10_000
    assert chi_square_homogeneity([5, 5], [0, 0]).p_value == 1
    with pytest.raises(ValueError, match="negative"):
        chi_square_homogeneity([-1], [2])
    with pytest.raises(ValueError, match="categories"):
        chi_square_homogeneity([1], [2, 3])


@patient
@given(counts)
def test_the_stability_index_is_a_distance(pairs: list[tuple[int, int]]):
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    found = stability_index(first, second)
    assert found >= 0
    assert found == pytest.approx(stability_index(second, first))
    assert stability_index(first, first) == pytest.approx(0)


def test_the_stability_index_of_a_known_table():
    first, second = [1000, 2000, 7000], [2000, 3000, 5000]
    known = 0.1 * math.log(2) + 0.1 * math.log(1.5) + 0.2 * math.log(7 / 5)
    assert stability_index(first, second) == pytest.approx(known, rel=0.01)


def test_vectors_that_point_elsewhere():
    numbers = numpy.random.default_rng(5)
    same = energy_test(numbers.normal(size=(60, 16)).tolist(), numbers.normal(size=(80, 16)).tolist(), 499)
    moved = energy_test(numbers.normal(size=(60, 16)).tolist(), numbers.normal(0.6, size=(80, 16)).tolist(), 499)
    assert same.p_value > 0.05
    assert same.coefficient < 0.02
    assert moved.p_value == 1 / 500
    assert moved.coefficient > 0.05
    assert energy_test([], [[1.0]]).p_value == 1
    with pytest.raises(ValueError, match="lengths"):
        energy_test([[1.0, 2.0]], [[1.0]])


def test_the_distance_of_vectors_is_scipys_on_a_line():
    """On the two ends of a line, the distance of Szekely and Rizzo is twice the square of scipy's."""
    left, right = [[1.0]] * 30 + [[-1.0]] * 10, [[1.0]] * 12 + [[-1.0]] * 48
    found = energy_test(left, right, 99)
    between = 2 * (30 * 48 + 10 * 12) / (40 * 60)
    inside = 2 * 2 * 30 * 10 / (40 * 39) + 2 * 2 * 12 * 48 / (60 * 59)
    assert found.coefficient == pytest.approx((2 * between - inside) / (2 * between))
    theirs = stats.energy_distance([each[0] for each in left], [each[0] for each in right])
    biased = 2 * between - 2 * 2 * 30 * 10 / 40**2 - 2 * 2 * 12 * 48 / 60**2
    assert biased == pytest.approx(theirs**2, rel=1e-9)


def test_false_alarms_keep_to_their_level():
    """2,000 pairs of samples of one distribution: at most 5 % of alarms, up to four standard deviations."""
    numbers = random.Random(11)
    alarms = {"exact": 0, "limit": 0, "ties": 0, "categories": 0}
    for _ in range(2000):
        left, right = ([numbers.gauss(0, 1) for _ in range(size)] for size in (20, 30))
        alarms["exact"] += kolmogorov_smirnov(left, right).p_value <= 0.05
        words = [[numbers.randint(0, 5) for _ in range(size)] for size in (20, 30)]
        alarms["ties"] += kolmogorov_smirnov(words[0], words[1]).p_value <= 0.05
        table = [[each.count(value) for value in range(6)] for each in words]
        alarms["categories"] += chi_square_homogeneity(table[0], table[1], permutations=199).p_value <= 0.05
    for _ in range(500):
        left, right = ([numbers.gauss(0, 1) for _ in range(size)] for size in (150, 150))
        alarms["limit"] += kolmogorov_smirnov(left, right).p_value <= 0.05
    assert {
        name: count <= (2000 * 0.05 + 4 * 9.8 if name != "limit" else 25 + 4 * 4.9) for name, count in alarms.items()
    } == (dict.fromkeys(alarms, True)), alarms
