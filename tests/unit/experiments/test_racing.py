"""Who is dropped from a race, and that whoever would have won is not."""

from __future__ import annotations

import random
from array import array

import pytest

from flowyard.decisions.model import Metric, Scores
from flowyard.experiments.racing import find_drops

ACCURACY = Metric("accuracy", "binary", higher_is_better=True, low=0.0, high=1.0)
ERRORS = Metric("errors", "binary", higher_is_better=False, low=0.0, high=1.0)
RATING = Metric("rating", "score", higher_is_better=True, low=1.0, high=5.0)


def drawn(shares: dict[str, float], lines: int, seed: int, metric: Metric = ACCURACY) -> Scores:
    source = random.Random(seed)
    values = {
        version: array("d", [float(source.random() < share) for _ in range(lines)]) for version, share in shares.items()
    }
    return Scores(metric, "rows", range(lines), values)


def dropped(scores: Scores, lines: int, *, of: int | None = None, spared: frozenset[str] = frozenset()) -> list[str]:
    return [
        drop.version
        for drop in find_drops(
            scores, list(scores.values), range(lines), of or len(scores.lines), alpha=0.05, spared=spared
        )
    ]


def test_a_version_that_is_far_behind_is_dropped_early():
    scores = drawn({"good": 0.9, "bad": 0.3, "fair": 0.85}, 400, seed=1)
    assert dropped(scores, 60) == ["bad"]


def test_where_less_is_better_the_larger_one_is_dropped():
    scores = drawn({"few": 0.1, "many": 0.7}, 400, seed=2, metric=ERRORS)
    assert dropped(scores, 60) == ["many"]


def test_whom_the_decision_needs_is_kept():
    scores = drawn({"good": 0.9, "bad": 0.3}, 400, seed=3)
    assert dropped(scores, 100) == ["bad"]
    assert dropped(scores, 100, spared=frozenset({"bad"})) == []


@pytest.mark.parametrize("versions", [{"only": 0.5}, {"a": 0.5, "b": 0.5}])
def test_nobody_is_dropped_without_a_better_one(versions: dict[str, float]):
    assert dropped(drawn(versions, 200, seed=4), 100) == []


def test_scores_need_bounds_and_use_them():
    source = random.Random(5)
    values = {
        "low": [float(source.randint(1, 3)) for _ in range(300)],
        "high": [float(source.randint(3, 5)) for _ in range(300)],
    }
    assert dropped(Scores(RATING, "rows", range(300), values), 90) == ["low"]
    unbounded = Metric("rating", "score", higher_is_better=True)
    assert dropped(Scores(unbounded, "rows", range(300), values), 90) == []


def test_the_decision_is_that_of_the_whole_dataset():
    """Over many experiments, looked at in every round: the version that wins on all lines is hardly ever dropped."""
    wrong = 0
    for seed in range(100):
        scores = drawn({"a": 0.72, "b": 0.70, "c": 0.66}, 240, seed=seed)
        best = max(scores.values, key=lambda version: sum(scores.values[version]))
        wrong += any(best in dropped(scores, lines) for lines in (30, 60, 90, 135, 202))
    assert wrong <= 5


def test_all_lines_rule_out_whoever_is_behind_on_them():
    """Lines are drawn from a dataset that ends: when nothing is left that could turn it, it is decided."""
    values = {"a": [1.0] * 20 + [0.0] * 20, "b": [0.0] * 20 + [0.0] * 20}
    assert dropped(Scores(ACCURACY, "rows", range(40), values), 39) == ["b"]
