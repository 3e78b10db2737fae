"""One-sided tests of a share: the level at the limit, a late change, and what is nonsense."""

import math

import numpy
import pytest

from flowyard.statistics.one_sided import ShareSlice, above_limit_log_e_value, iter_above_limit_log_e_values


def test_it_is_an_expectation_of_at_most_one_at_the_limit():
    """All outcomes of three slices of two events, by their chances: the e-value's mean is 1."""
    limit, mean = 0.3, 0.0
    chances = [math.comb(2, k) * limit**k * (1 - limit) ** (2 - k) for k in range(3)]
    for a in range(3):
        for b in range(3):
            for c in range(3):
                slices = [ShareSlice(k, 2 - k, limit) for k in (a, b, c)]
                mean += chances[a] * chances[b] * chances[c] * math.exp(above_limit_log_e_value(slices))
    assert mean == pytest.approx(1, abs=1e-12)


def test_it_is_seldom_wrong_at_the_limit_and_below():
    random = numpy.random.default_rng(3)
    for rate in (0.05, 0.03):
        events = random.binomial(40, rate, (400, 60))
        slices = [[ShareSlice(int(k), 40 - int(k), 0.05) for k in row] for row in events]
        wrong = sum(max(iter_above_limit_log_e_values(row)) >= math.log(20) for row in slices)
        assert wrong / 400 <= 0.05


def test_long_good_times_do_not_hide_a_change():
    good, bad = [ShareSlice(0, 100, 0.05)] * 500, [ShareSlice(20, 80, 0.05)]
    assert above_limit_log_e_value(good) < 0
    assert above_limit_log_e_value([*good, *bad * 3]) > math.log(100)


def test_it_follows_a_limit_that_changes_and_skips_empty_slices():
    full = [ShareSlice(3, 17, 0.1), ShareSlice(9, 11, 0.5)]
    empty = ShareSlice(0, 0, 0.2)
    assert above_limit_log_e_value([empty, full[0], empty, full[1]]) == above_limit_log_e_value(full)
    assert above_limit_log_e_value([]) == 0
    assert len(list(iter_above_limit_log_e_values([empty, *full]))) == 3


@pytest.mark.parametrize("given", [(-1, 1, 0.1), (1, math.nan, 0.1), (1, 1, 0), (1, 1, 1), (math.inf, 1, 0.1)])
def test_nonsense_is_refused(given: tuple[float, float, float]):
    with pytest.raises(ValueError, match="is"):
        above_limit_log_e_value([ShareSlice(*given)])


def test_many_events_are_no_trouble():
    assert above_limit_log_e_value([ShareSlice(10**9, 10**9, 0.1)]) > 1e6
