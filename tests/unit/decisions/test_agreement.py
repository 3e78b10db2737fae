"""Agreement of a judge and people, and the judge's error in the interval of its metric."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from flowyard.decisions.agreement import agreement_of, corrected_estimate, judge_agreement
from flowyard.decisions.label_values import label_numbers
from flowyard.decisions.model import Estimate, Interval, Metric, Scores
from flowyard.errors import UserError

RIGHT = Metric("right", "binary", True, low=0.0, high=1.0)
GRADE = Metric("grade", "score", True, low=1.0, high=5.0)


def ratings(table: Sequence[Sequence[int]], start: int = 0) -> tuple[list[float], list[float]]:
    """People's and the judge's grades of a table with people as rows."""
    cells = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [float(start + i) for i, _ in cells], [float(start + j) for _, j in cells]


# Tables of two raters whose kappa is in many textbooks: grants judged yes or no by two readers; and two tables with the
# same 60 % agreement, which by Cohen's kappa are not alike.
@pytest.mark.parametrize(
    ("table", "agreed", "kappa"),
    [
        ([[15, 10], [5, 20]], 0.70, 0.4),
        ([[45, 15], [25, 15]], 0.60, 0.1304),
        ([[25, 35], [5, 35]], 0.60, 0.2593),
    ],
)
def test_kappa_of_published_tables(table: list[list[int]], agreed: float, kappa: float):
    found = agreement_of(RIGHT, *ratings(table))
    assert found.agreed == pytest.approx(agreed, abs=1e-12)
    assert found.kappa == pytest.approx(kappa, abs=5e-5)
    assert found.weights is None
    assert found.matrix is not None
    assert found.matrix.counts == tuple(map(tuple, table))


@settings(deadline=None, max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(st.integers(0, 20), min_size=5, max_size=5), min_size=5, max_size=5))
def test_weighted_kappa_counts_the_steps_of_the_whole_scale(table: list[list[int]]):
    found = agreement_of(GRADE, *ratings(table, start=1))
    if not found.lines:
        assert (found.kappa, found.matrix) == (None, None)
        return
    assert found.matrix is not None
    assert found.matrix.labels == (1.0, 2.0, 3.0, 4.0, 5.0)
    if found.kappa is None:
        return
    expected = cohens_kappa(numpy.array(table), wt="fc")
    assert found.kappa == pytest.approx(expected.kappa, abs=1e-9)
    assert found.interval is not None
    assert found.interval.low <= found.kappa <= found.interval.high


def test_lines_without_a_grade_of_the_judge_are_counted():
    found = agreement_of(GRADE, [1.0, 2.0, 3.0], [1.0, math.nan, 4.0], dataset="lines")
    assert (found.lines, found.ungraded, found.agreed) == (2, 1, 0.5)
    assert found.sentence == (
        "grade on lines: judge and people gave the same grade on 1 of 2 lines (50 %); "
        f"Cohen's quadratically weighted kappa {found.kappa:.2f} (95 % interval {found.interval.low:.2f} to "
        f"{found.interval.high:.2f}); 1 more have no grade of the judge."
    )


def test_agreement_on_one_grade_only_has_no_kappa():
    found = agreement_of(RIGHT, [1.0, 1.0], [1.0, 1.0])
    assert (found.kappa, found.interval, found.agreed) == (None, None, 1.0)
    assert "not defined" in found.sentence
    assert "no line" in agreement_of(RIGHT, [], []).sentence


def test_half_steps_and_other_numbers():
    assert agreement_of(GRADE, [1.0, 2.0], [1.5, 2.0]).matrix.labels[:3] == (1.0, 1.5, 2.0)  # type: ignore[union-attr]
    odd = agreement_of(Metric("x", "score", True), [0.1, 0.7], [0.1, 0.9])
    assert odd.matrix is not None
    assert odd.matrix.labels == (0.1, 0.7, 0.9)
    many = agreement_of(Metric("x", "score", True), [each / 7 for each in range(200)], [0.0] * 200)
    assert (many.matrix, many.kappa, many.lines) == (None, None, 200)


def scores_of(metric: Metric, values: Sequence[float], failed: Sequence[int] = ()) -> Scores:
    return Scores(metric, "lines", range(len(values)), {"a": values}, {"a": frozenset(failed)})


def estimate_of(scores: Scores, version: str = "a") -> Estimate:
    values = [value for value in scores.values[version] if not math.isnan(value)]
    mean = sum(values) / len(values)
    return Estimate(scores.metric, version, "lines", mean, len(values), 0, Interval(mean, mean, 0.95, "none"))


def test_agreement_of_a_version_leaves_out_failed_lines():
    scores = scores_of(RIGHT, [1.0, 0.0, 1.0, math.nan], failed=[1])
    found = judge_agreement(scores, {0: 1.0, 1: 1.0, 2: 0.0, 3: 1.0, 9: 1.0})
    assert (found.lines, found.ungraded, found.agreed, found.versions) == (2, 2, 0.5, ("a",))
    assert judge_agreement(scores, {0: math.nan}).lines == 0


def test_without_labels_the_estimate_stays_as_it_is():
    scores = scores_of(RIGHT, [1.0, 0.0])
    assert corrected_estimate(estimate_of(scores), scores, {}) == estimate_of(scores)
    assert corrected_estimate(estimate_of(scores), scores, {0: 1.0}) == estimate_of(scores)


def test_a_lenient_judge_is_corrected_by_the_labels():
    values = [1.0] * 80 + [0.0] * 20
    labels = {line: float(line % 2 == 0) for line in range(40)} | dict.fromkeys(range(80, 90), 0.0)
    scores = scores_of(RIGHT, values)
    found = corrected_estimate(estimate_of(scores), scores, labels)
    assert found.value == pytest.approx(0.4, abs=1e-12)  # half of what it passes is right, none of what it fails
    assert found.interval is not None
    assert found.interval.low < 0.4 < found.interval.high < 0.8
    assert (found.lines, found.interval.confidence) == (100, 0.95)


@pytest.mark.parametrize("metric", [RIGHT, GRADE])
def test_other_versions_move_as_far_as_the_one_whose_outputs_people_graded(metric: Metric):
    chance = random.Random(8)
    low, high = metric.low or 0.0, metric.high or 0.0
    first = [chance.choice([low, high, high]) for _ in range(200)]
    second = [chance.choice([low, low, high]) for _ in range(200)]
    scores = Scores(metric, "lines", range(200), {"a": first, "b": second})
    labels = {line: low if line % 4 == 0 else first[line] for line in range(60)}
    given = {name: corrected_estimate(estimate_of(scores, name), scores, {}) for name in ("a", "b")}
    found = {name: corrected_estimate(given[name], scores, labels, labelled="a") for name in ("a", "b")}
    moved = {name: found[name].value - given[name].value for name in ("a", "b")}
    assert moved["a"] < 0
    assert moved["b"] == pytest.approx(moved["a"], abs=1e-12)
    interval = found["b"].interval
    assert interval is not None
    assert interval.low < found["b"].value < interval.high
    assert "moved as the labelled version" in interval.method
    few = corrected_estimate(given["a"], scores, labels, lines=[0, 100, 101], labelled="a")
    assert few.value == pytest.approx(max(low, given["a"].value + moved["b"]), abs=1e-12)


def test_an_uninformative_judge_does_not_turn_the_order_of_versions():
    chance = random.Random(3)
    first = [float(chance.randint(2, 5)) for _ in range(120)]
    second = [min(5.0, value + (line % 10 == 0)) for line, value in enumerate(first)]
    scores = Scores(GRADE, "lines", range(120), {"a": first, "b": second})
    labels = {line: float(chance.randint(3, 5)) for line in range(0, 120, 6)}  # nothing to do with the judge
    given = {name: corrected_estimate(estimate_of(scores, name), scores, {}) for name in ("a", "b")}
    for lines in (None, range(60), [0, 1, 2]):
        found = {
            name: corrected_estimate(estimate_of(scores, name), scores, labels, lines, labelled="a")
            for name in ("a", "b")
        }
        paired = given["b"].value - given["a"].value
        if lines is None:
            assert found["b"].value - found["a"].value == pytest.approx(paired, abs=1e-12)
            assert paired > 0
        assert found["b"].value >= found["a"].value
    wide, narrow = found["b"].interval, given["b"].interval
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low


def test_a_version_that_was_never_judged_is_not_moved():
    scores = Scores(GRADE, "lines", range(4), {"a": [2.0, 3.0, 2.0, 3.0], "b": [1.0] * 4}, {"b": frozenset(range(4))})
    labels = dict.fromkeys(range(4), 5.0)
    estimate = replace(estimate_of(scores, "b"), failed_lines=4)
    assert corrected_estimate(estimate, scores, labels, labelled="a") == estimate


def test_labels_of_all_lines_decide_alone():
    scores = scores_of(GRADE, [5.0, 5.0, 5.0, 5.0])
    found = corrected_estimate(estimate_of(scores), scores, {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0})
    assert found.value == 2.5
    assert found.interval is not None
    assert found.interval.low == 1.0  # the bounds of the metric hold
    assert found.interval.method == "prediction-powered (PPI++)"


def test_failed_lines_keep_the_value_of_their_rule():
    values = [1.0] * 8 + [0.0] * 2
    scores = scores_of(RIGHT, values, failed=[8, 9])
    whole = corrected_estimate(estimate_of(scores), scores, dict.fromkeys(range(8), 1.0))
    assert whole.value == 0.8
    assert whole.interval is not None
    assert whole.interval.low < 0.8 < whole.interval.high
    part = corrected_estimate(estimate_of(scores), scores, dict.fromkeys(range(8), 1.0), lines=range(8))
    assert part.value == 1.0


@pytest.mark.parametrize("failing", [0.0, 0.1])
def test_the_corrected_interval_covers_the_truth_as_often_as_it_says(failing: float):
    """The judge passes 95 % of right and 30 % of wrong answers: its own interval would miss the truth."""
    chance = random.Random(4)
    truth = 0.6 * (1 - failing)
    covered = naive = 0
    for _ in range(400):
        right = [float(chance.random() < 0.6) for _ in range(300)]
        failed = [line for line in range(300) if chance.random() < failing]
        judge = [float(chance.random() < (0.95 if each else 0.3)) for each in right]
        for line in failed:
            judge[line] = 0.0
        labels = {line: right[line] for line in chance.sample(range(300), 80) if line not in failed}
        scores = scores_of(RIGHT, judge, failed)
        found = corrected_estimate(estimate_of(scores), scores, labels)
        assert found.interval is not None
        covered += found.interval.low <= truth <= found.interval.high
        naive += abs(sum(judge) / 300 - truth) < 0.056  # half of a 95 % interval of 300 lines without an error
    assert covered / 400 > 0.93
    assert naive / 400 < 0.5


def test_labels_become_numbers():
    values = {0: 4, 1: " 3.5 ", 2: None, 3: "", 4: math.nan, 5: True, 6: "false"}
    assert label_numbers(values) == {0: 4.0, 1: 3.5, 5: 1.0, 6: 0.0}
    assert label_numbers({0: "Correct", 1: "Incorrect", 2: None}, equals="Correct") == {0: 1.0, 1: 0.0}
    assert label_numbers({0: "tie", 1: 0}, numbers={"tie": 0.5}) == {0: 0.5, 1: 0.0}
    with pytest.raises(UserError, match="'good' is no grade") as caught:
        label_numbers({7: "good"}, numbers={"fine": 1.0}, column="human")
    assert caught.value.where == "line 7 of 'human'"
    assert "fine" in str(caught.value.hint)
    for bad in ("inf", [1], {}):
        with pytest.raises(UserError):
            label_numbers({0: bad})
