"""The numbers: what is best, what ties, what was scored at all."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.policy import DecisionPolicy, MetricRule
from flowyard.records import LineResult
from flowyard.reports import summarize
from flowyard.reports.headline import cautions, headlines
from flowyard.reports.leaderboard import main_metrics, rankings
from flowyard.reports.table import lower_is_better
from flowyard.reports.values import metric_text

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab


def done(number: int, seconds: float = 0.1) -> LineResult:
    return LineResult(number, "completed", {}, {"category": "a"}, duration_s=seconds)


def lost(number: int) -> LineResult:
    return LineResult(number, "failed", {}, {}, duration_s=60.0)


def compare(lab: Lab, metric: str, *values: Any) -> list[bool]:
    """Whether each of several variants is marked best on one metric."""
    for place, value in enumerate(values):
        name = lab.variant(f"v{place}", [done(0)])
        lab.evaluation("grade", name, [done(0)], **{metric: value})
    return [f"grade.{metric}" in row.best for row in summarize(lab.comparison).rows]


def test_highest_is_best(lab: Lab) -> None:
    assert compare(lab, "accuracy", 0.5, 0.9, 0.7) == [False, True, False]


def test_lowest_error_is_best(lab: Lab) -> None:
    assert compare(lab, "error_rate", 0.5, 0.1, 0.7) == [False, True, False]


def test_all_that_tie_are_best(lab: Lab) -> None:
    assert compare(lab, "accuracy", 0.9, 0.9, 0.7) == [True, True, False]


def test_nan_and_text_are_never_best_and_hide_nothing(lab: Lab) -> None:
    assert compare(lab, "accuracy", math.nan, 0.3, 0.2, "fine", True) == [False, True, False, False, False]


def test_one_variant_alone_is_not_best(lab: Lab) -> None:
    assert compare(lab, "accuracy", 0.9) == [False]


def test_best_is_told_for_each_dataset(lab: Lab) -> None:
    for dataset, scores in {"easy": (0.9, 0.8), "hard": (0.1, 0.4)}.items():
        for variant, score in zip(("a", "b"), scores, strict=True):
            name = lab.variant(f"{variant}-{dataset}", [done(0)], dataset=dataset)
            lab.evaluation("grade", name, [done(0)], accuracy=score)
    summary = summarize(lab.comparison)
    marked = [(row.dataset, row.label) for row in summary.rows if "grade.accuracy" in row.best]
    assert marked == [("easy", "classify=a"), ("hard", "classify=b")]
    assert summary.labels == ("classify=a", "classify=b")


def test_coverage_counts_the_lines_that_never_reached_the_evaluator(lab: Lab) -> None:
    name = lab.variant("a", [done(0), done(1), lost(2), done(3)])
    lab.evaluation("grade", name, [done(0), done(1), lost(3)], accuracy=1.0)
    summary = summarize(lab.comparison)
    used = summary.rows[0].evaluated
    assert used is not None
    assert (used.completed, used.total, used.coverage) == (2, 4, 0.5)
    assert cautions(summary, None) == (
        "tickets: not every line was scored (classify=a by grade on 2 of 4). "
        "Lines that fail are missing from the metrics.",
    )


def test_coverage_of_an_empty_run_is_unknown(lab: Lab) -> None:
    lab.evaluation("grade", lab.variant("a", []), [])
    used = summarize(lab.comparison).rows[0].evaluated
    assert used is not None
    assert used.coverage is None


def test_latency_is_of_completed_lines_in_milliseconds(lab: Lab) -> None:
    lab.variant("a", [done(0, 0.1), done(1, 0.3), lost(2), done(3, 0.2)])
    latency = summarize(lab.comparison).rows[0].latency
    assert latency is not None
    assert latency.lines == 3
    assert (latency.p50_ms, latency.mean_ms, latency.p95_ms) == pytest.approx((200.0, 200.0, 290.0))


def test_runs_without_variants_are_the_defaults_and_stay_apart(lab: Lab) -> None:
    first, second = lab.variant("a", [done(0)]), lab.variant("b", [done(0)])
    lab.variants.update({first: {}, second: {}})
    assert [row.label for row in summarize(lab.comparison).rows] == ["defaults", "defaults (b)"]


def test_the_caution_says_in_which_metrics_failed_lines_count(lab: Lab) -> None:
    grades = [replace(done(number), outputs={"grade": said}) for number, said in enumerate(("good", "bad", "good"))]
    for variant in "ab":
        name = lab.variant(variant, [done(0), done(1), done(2), lost(3)])
        lab.evaluation("grade", name, grades, accuracy=0.6667, odd=0.123)
    rule = MetricRule("accuracy", "grade", "good")
    said = {
        "worst": "Lines that fail count in accuracy by the metric's rule; they are missing from odd.",
        "exclude": "Lines that fail are missing from the metrics.",
    }
    for failed_lines, words in said.items():
        policy = DecisionPolicy({"accuracy": replace(rule, failed_lines=failed_lines)})
        found = gather_evidence(lab.comparison, policy)
        (caution,) = cautions(summarize(lab.comparison), found)
        scored = "classify=a by grade on 3 of 4, classify=b by grade on 3 of 4"
        assert caution == f"tickets: not every line was scored ({scored}). {words}"


def test_headline_names_leader_and_runner_up(lab: Lab) -> None:
    compare(lab, "accuracy", 0.5, 0.9)
    (headline,) = headlines(summarize(lab.comparison))
    assert (headline.leaders, headline.value, headline.next_best) == (("classify=v1",), "0.900", "0.500")


def test_each_evaluator_has_its_first_metric_among_the_main_ones(lab: Lab) -> None:
    name = lab.variant("a", [done(0)])
    lab.evaluation("one", name, [], a=1, b=2, c=3)
    lab.evaluation("two", name, [], d=4)
    assert main_metrics(summarize(lab.comparison)) == ("one.a", "two.d", "one.b")


def test_an_experiment_without_runs_has_empty_tables(lab: Lab) -> None:
    summary = summarize(lab.comparison)
    assert (summary.rows, summary.metrics, headlines(summary)) == ((), (), ())


@pytest.mark.parametrize("name", ["latency_p50", "error_rate", "cost_usd", "log_loss", "edit_distance", "failed"])
def test_names_of_which_less_is_better(name: str) -> None:
    assert lower_is_better(f"grade.{name}")
    assert not lower_is_better("grade.accuracy")


def test_a_version_of_failed_lines_only_is_never_the_best_and_counts_are_whole(lab: Lab) -> None:
    """Both come to 3, because the worst score seen is also the best one."""
    scores = [replace(done(number), outputs={"score": 3.0}) for number in range(2)]
    lab.evaluation("grade", lab.variant("b", [lost(0), lost(1)]), [])
    lab.evaluation("grade", lab.variant("a", [done(0), done(1)]), scores)
    evidence = gather_evidence(lab.comparison)
    summary = summarize(lab.comparison)
    assert [each.value for each in evidence.estimates if each.metric.name == "score"] == [3.0, 3.0]
    ranking = next(each for each in rankings(summary, evidence) if each.metric.name == "score")
    assert [(each.row.label, each.scores["score"].best) for each in ranking.standings] == [
        ("classify=a", True),
        ("classify=b", False),
    ]
    assert evidence.pareto["tickets"] == ("classify=a",)
    counted = next(each for each in rankings(summary, evidence) if each.metric.name == "failed_lines")
    assert [metric_text(score.value) for score in counted.scores] == ["0", "2"]
