"""Bets on scores: a martingale by hand, what every count promises, and intervals that agree with the test."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.statistics.bounded_scores import ScoreEpoch, largest_bet, scores_interval, scores_log_e_value

SCORES = st.dictionaries(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 300), max_size=5)
EPOCHS = st.lists(st.builds(ScoreEpoch, st.sampled_from([0.05, 0.3, 0.5, 0.9]), SCORES, SCORES), max_size=3)


@pytest.mark.parametrize(("share", "guess"), [(0.5, 0.5), (0.1, 0.5), (0.2, 0.9), (0.9, 0.1)])
def test_equal_means_of_other_shapes_pay_nothing_on_average(share: float, guess: float):
    """Over all outcomes of three units: always 0.5 in one arm, 0 or 1 in the other."""
    mean = 0.0
    for units in product([(False, 0.5, 1.0), (True, 0.0, 0.5), (True, 1.0, 0.5)], repeat=3):
        chance, first, second = 1.0, {}, {}
        for treated, score, likely in units:
            chance *= likely * (share if treated else 1 - share)
            scores = second if treated else first
            scores[score] = scores.get(score, 0) + 1
        mean += chance * math.exp(scores_log_e_value([ScoreEpoch(share, first, second)], guess=guess))
    assert mean == pytest.approx(1, abs=1e-12)


@given(EPOCHS, st.floats(0, 1), st.floats(-1, 1))
def test_nobody_is_ruined_and_the_interval_says_what_the_test_says(
    epochs: list[ScoreEpoch], guess: float, difference: float
):
    log_e = scores_log_e_value(epochs, difference, guess)
    assert math.isfinite(log_e)
    low, high = scores_interval(epochs, 0.05, guess).low, scores_interval(epochs, 0.05, guess).high
    assert -1 <= low <= high + 2e-4
    assert high <= 1
    if low + 2e-4 < difference < high - 2e-4:
        assert log_e < math.log(1 / 0.05) + math.log(2)


def test_a_difference_is_found_and_enclosed():
    epochs = [
        ScoreEpoch(0.5, {0.0: 300, 1.0: 300}, {0.0: 240, 1.0: 360}),
        ScoreEpoch(0.1, {0.0: 450, 1.0: 450}, {0.0: 40, 1.0: 60}),
    ]
    assert scores_log_e_value(epochs) > math.log(20)
    found = scores_interval(epochs)
    assert 0 < found.low < 0.1 < found.high < 0.2
    assert scores_log_e_value([]) == 0
    assert 0 < largest_bet(0.1, 0.5) < 0.2


@pytest.mark.parametrize("epoch", [ScoreEpoch(0.5, {1.5: 1}), ScoreEpoch(1.0), ScoreEpoch(0.5, {}, {-0.1: 2})])
def test_what_is_out_of_bounds_is_refused(epoch: ScoreEpoch):
    with pytest.raises(ValueError, match=r"score|share"):
        scores_log_e_value([epoch])
