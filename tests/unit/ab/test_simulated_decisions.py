"""Thousands of simulated tests that are looked at all the time: seldom wrong, and about as strong as they can be."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy
import pytest
from ab_helper import START, arm, evidence, policy
from bench.ab import (
    ALPHA,
    EXACT_POWER,
    NULLS,
    RATIO_ALPHA,
    SAMPLE_RATIO,
    false_rollbacks,
    rollback_delays,
    simpson,
)
from bench.ab_numbers import (
    NUMBERS,
    SCORE_NULLS,
    SCORE_POWER,
    Numbers,
    Scores,
    number_looks,
    score_log_e,
    score_looks,
)
from bench.ab_rollbacks import equal_arms_rolled_back
from bench.ab_simulation import Case, decided, exact_log_e, multinomial_log_e, sample_ratio_log_e, simulate, warm_means

from flowyard.ab.decision.decide import DecisionState, decide
from flowyard.statistics.bounded_scores import ScoreEpoch, scores_log_e_value
from flowyard.statistics.sequential import SplitEpoch, multinomial_log_e_value, rates_log_e_value

EXPERIMENTS = 1_000
NOISE = 4


def at_most(promised: float) -> float:
    """The most errors of 1,000 that a kept promise makes, but for one chance in 30,000."""
    return promised + NOISE * math.sqrt(promised * (1 - promised) / EXPERIMENTS)


@pytest.mark.parametrize(("case", "exact", "means"), NULLS, ids=lambda each: getattr(each, "label", ""))
def test_equal_arms_are_seldom_told_apart(case: Case, exact: str, means: str):
    counts = simulate(case, EXPERIMENTS, seed=11)
    assert (decided(exact_log_e([counts]), ALPHA) >= 0).mean() <= ALPHA
    assert (warm_means(counts, ALPHA) >= 0).mean() <= ALPHA


@pytest.mark.parametrize(("case", "exact", "means"), EXACT_POWER, ids=lambda each: getattr(each, "label", ""))
def test_differences_are_found_as_often_as_the_reference_says(case: Case, exact: float, means: float):
    counts = simulate(case, EXPERIMENTS, seed=12)
    found = (decided(exact_log_e([counts]), ALPHA) >= 0).mean()
    by_means = (warm_means(counts, ALPHA) >= 0).mean()
    print(f"{case.label}: exact {found:.0%} (reference {exact:.0%}), means {by_means:.0%} (reference {means:.0%})")
    assert found >= exact - 0.05
    assert by_means >= means - 0.05


def test_an_alarm_of_the_sample_ratio_is_rare_and_finds_89_to_11():
    right, wrong = (simulate(case, EXPERIMENTS, seed=13) for case, _ in SAMPLE_RATIO)
    assert (decided(sample_ratio_log_e(right), RATIO_ALPHA) >= 0).mean() <= at_most(RATIO_ALPHA)
    assert (decided(sample_ratio_log_e(wrong), RATIO_ALPHA) >= 0).mean() == pytest.approx(0.67, abs=0.05)


def test_a_split_that_changes_in_the_middle_makes_no_false_decision():
    by_epochs, as_one = simpson(EXPERIMENTS, seed=14)
    assert by_epochs <= ALPHA
    assert as_one > 0.9, "what is tested would not be there"


def test_guardrails_leave_equal_arms_alone_and_catch_a_canary_that_begins_to_fail():
    assert false_rollbacks(EXPERIMENTS, seed=15) <= 0.01
    delays = rollback_delays(200, seed=16, each=200)
    assert numpy.mean([delay <= 2 for delay in delays]) == 1


def test_no_kind_of_guardrail_rolls_equal_arms_back():
    """``python -m bench.ab`` does a thousand, with more looks."""
    assert equal_arms_rolled_back(60, seed=19, looks=8, each=300) <= 0.01


def test_the_tables_are_the_functions():
    random = numpy.random.default_rng(17)
    first, second = random.integers(0, 400, (2, 5, 4))
    for place in numpy.ndindex(first.shape):
        expected = multinomial_log_e_value((int(first[place]), int(second[place])), (0.9, 0.1))
        assert multinomial_log_e(first, second, 0.1)[place] == pytest.approx(expected, abs=1e-8)


def test_what_is_simulated_is_what_is_decided():
    case = Case(0.7, 0.8, 0.1, requests=6_000, looks=6)
    counts = simulate(case, 20, seed=18)
    log_e = exact_log_e([counts])
    states = set()
    for experiment, look in numpy.ndindex(20, 6):
        n = [int(part[experiment, look]) for part in (counts.control, counts.treatment)]
        s = [int(part[experiment, look]) for part in (counts.control_successes, counts.treatment_successes)]
        epoch = SplitEpoch(0.1, s[0], s[1], n[0] - s[0], n[1] - s[1])
        assert log_e[experiment, look] == pytest.approx(rates_log_e_value([epoch]), abs=1e-7)
        known = evidence((0.1, arm(s[0], n[0] - s[0]), arm(s[1], n[1] - s[1])))
        found = decide(policy(), known, since=START, now=START + timedelta(days=1))
        assert (found.state is not DecisionState.CONTINUE) == (log_e[experiment, look] >= math.log(20))
        states.add(found.state)
    assert states == {DecisionState.CONTINUE, DecisionState.PROMOTE}


@pytest.mark.parametrize("case", SCORE_NULLS, ids=lambda each: each.label)
def test_equal_scores_are_seldom_told_apart(case: Scores):
    by_bets, by_means = score_looks(case, EXPERIMENTS, 15, ALPHA)
    assert (by_bets >= 0).mean() <= ALPHA
    assert (by_means >= 0).mean() <= ALPHA


@pytest.mark.parametrize("case", SCORE_POWER, ids=lambda each: each.label)
def test_bets_find_differences_of_scores_about_as_often_as_means(case: Scores):
    by_bets, by_means = score_looks(case, EXPERIMENTS, 16, ALPHA)
    assert (by_bets >= 0).mean() >= (by_means >= 0).mean() - 0.05


@pytest.mark.parametrize("case", NUMBERS, ids=lambda each: each.label)
def test_equal_numbers_are_seldom_told_apart_however_skewed(case: Numbers):
    assert (number_looks(case, 400, 17, ALPHA) >= 0).mean() <= ALPHA


def test_the_simulated_bets_are_those_of_the_product():
    case = SCORE_NULLS[1]
    counts = numpy.array([[[30, 5, 9, 40, 50]]]), numpy.array([[[2, 1, 3, 7, 0]]])
    scores = [dict(zip(case.values.tolist(), each[0, 0].tolist(), strict=True)) for each in counts]
    ours = scores_log_e_value([ScoreEpoch(case.share, *scores)], guess=case.guess)
    assert score_log_e(case, *counts)[0, 0] == pytest.approx(ours, abs=1e-9)
