"""How long it takes, held against simulated tests that take so long."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from ab_helper import arm, evidence, policy
from bench.ab_numbers import Scores, score_looks
from bench.ab_simulation import Case, decided, exact_log_e, simulate

from flowyard.ab.evidence.model import ArmCounts
from flowyard.ab.forecast.forecast import forecast, plan
from flowyard.ab.policy.model import PrimaryMetric
from flowyard.statistics.power import two_proportions_size

EXPECTED = PrimaryMetric("no_error", expected=0.7, smallest=0.05)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_plan_finds_it_in_80_percent_or_more(share: float):
    planned = plan(policy(primary=EXPECTED), share)
    assert planned.units is not None
    looks = 100
    case = Case(0.7, 0.75, share, planned.units // looks * looks, looks)
    found = (decided(exact_log_e([simulate(case, 1_000, seed=21)]), 0.05) >= 0).mean()
    assert 0.8 <= found <= 0.95, "looks before the last one find some, too"
    assert planned.units_one_look == pytest.approx(two_proportions_size(0.7, 0.75, share_of_second=share), abs=1)
    assert planned.units > planned.units_one_look


def test_nothing_is_planned_without_what_is_expected():
    assert plan(policy(), 0.5).units is None
    number = PrimaryMetric("field", "judge.score", expected=3, smallest=0.2)
    assert plan(policy(primary=number), 0.5).units is None


def test_a_number_takes_longer_when_it_spreads():
    units = [
        plan(policy(primary=PrimaryMetric("field", "judge.score", expected=3, smallest=0.2, spread=spread)), 0.5).units
        for spread in (1.0, 2.0)
    ]
    assert units[0] is not None
    assert units[1] is not None
    assert 3 < units[1] / units[0] < 5


def test_what_was_seen_is_taken_into_account():
    rules = policy(primary=EXPECTED)
    few, many = (evidence((0.5, arm(7 * n, 3 * n), arm(8 * n, 2 * n))).epochs("a", "b") for n in (10, 60))
    left = [forecast(rules, epochs, 1.0, 0.5) for epochs in (few, many)]
    assert left[0].units_left is not None
    assert left[1].units_left is not None
    assert left[1].units_left < left[0].units_left
    assert left[0].units_per_day == 200
    assert left[0].days_left == left[0].units_left / 200
    assert left[0].detectable is not None
    assert left[1].detectable is not None
    assert left[1].detectable < left[0].detectable


@pytest.mark.parametrize(("days", "share"), [(0.0, 0.5), (1.0, 0.0), (1.0, 1.0)])
def test_nothing_is_said_without_time_or_split(days: float, share: float):
    epochs = evidence((0.5, arm(7, 3), arm(8, 2))).epochs("a", "b")
    assert forecast(policy(primary=EXPECTED), epochs, days, share).days_left is None


def test_shown_already_needs_no_more():
    epochs = evidence((0.5, arm(700, 300), arm(850, 150))).epochs("a", "b")
    assert forecast(policy(primary=EXPECTED), epochs, 1.0, 0.5).units_left == 0


def scored(mean: float, spread: float, n: int) -> ArmCounts:
    """Half of the units a spread above the mean and half below, on a scale from 1 to 5."""
    scores = {round(100 * (mean + sign * spread - 1) / 4): n // 2 for sign in (1, -1)}
    squares = n * (mean**2 + spread**2)
    cubes = n * (mean**3 + 3 * mean * spread**2)
    return ArmCounts(requests=n, units=n, values=n, total=n * mean, squares=squares, cubes=cubes, scores=scores)


@pytest.mark.parametrize("bounds", [None, (1.0, 5.0)])
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_days_left_of_numbers(bounds: tuple[float, float] | None, direction: Literal["higher", "lower"]):
    primary = PrimaryMetric("field", "judge.score", expected=3, smallest=0.2, spread=1, bounds=bounds)
    rules = policy(primary=replace(primary, direction=direction))
    planned = plan(rules, 0.5).units
    assert planned is not None
    sign = 1 if direction == "higher" else -1
    found = [
        forecast(rules, evidence((0.5, scored(3, 1, n), scored(3 + sign * 0.2, 1, n))).epochs("a", "b"), 2.0, 0.5)
        for n in (20, 200, 4_000)
    ]
    left = [each.units_left for each in found]
    assert left[0] is not None
    assert left[1] is not None
    assert planned >= left[0] - 64 > left[1] > 0
    assert left[2] == 0
    assert found[1].days_left == left[1] / 200
    assert found[1].detectable is not None
    assert 0 < found[1].detectable < 0.2


@pytest.mark.parametrize("method", ["bounded_scores", "means"])
def test_what_was_planned_for_numbers_finds_it_in_about_80_percent(method: str):
    stars, better = (0.1, 0.1, 0.2, 0.3, 0.3), (0.08, 0.08, 0.17, 0.32, 0.35)
    mean, after = (sum(place / 4 * chance for place, chance in enumerate(each)) for each in (stars, better))
    spread = sum((place / 4 - mean) ** 2 * chance for place, chance in enumerate(stars)) ** 0.5
    bounds = (0.0, 1.0) if method == "bounded_scores" else None
    primary = PrimaryMetric("field", "s", expected=mean, smallest=after - mean, spread=spread, bounds=bounds)
    units = plan(policy(primary=primary), 0.1).units
    assert units is not None
    case = Scores("", stars, better, 0.1, guess=mean, requests=units // 100 * 100, looks=100)
    by_bets, by_means = score_looks(case, 1_000, 23, 0.05)
    found = ((by_bets if bounds else by_means) >= 0).mean()
    assert 0.77 <= found <= 0.96
