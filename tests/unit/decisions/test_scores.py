"""Metrics line by line: where they come from, and what a failed line counts."""

from __future__ import annotations

import math

import pytest
from decision_bench import FAILED, Bench, estimate_of, grades

from flowyard.decisions.model import Metric
from flowyard.decisions.policy import MetricRule
from flowyard.records import Usage


def metric_of(bench: Bench, name: str, **rules: MetricRule) -> Metric:
    return next(metric for metric in bench.evidence(metrics=rules).metrics if metric.name == name)


def test_a_logged_metric_is_linked_to_the_share_of_the_one_label_that_explains_it(bench: Bench):
    bench.version("a", grades("++-+"), accuracy=0.75)
    bench.version("b", grades("+--"), accuracy=0.3333)
    evidence = bench.evidence()
    metric = evidence.metrics[0]
    assert (metric.name, metric.kind, metric.evaluator) == ("accuracy", "binary", "judge")
    assert "1 where the output 'grade' is 'Correct'" in metric.meaning
    assert "found because" in metric.meaning
    assert list(evidence.scores[0].values["a"]) == [1, 1, 0, 1]


def test_a_mean_is_linked_too_and_not_listed_twice(bench: Bench):
    bench.version("a", [{"score": value} for value in (1, 4, 5)], mean_score=3.33)
    names = [metric.name for metric in bench.evidence().metrics if metric.evaluator]
    assert names == ["mean_score"]
    assert metric_of(bench, "mean_score").kind == "score"


def test_one_run_that_does_not_fit_breaks_the_link(bench: Bench):
    bench.version("a", grades("++-+"), accuracy=0.75)
    bench.version("b", grades("++-+"), accuracy=0.7)
    metric = metric_of(bench, "accuracy")
    assert metric.kind == "total"
    assert "compared without a test" in metric.meaning


def test_two_outputs_that_explain_it_differently_break_it_and_copies_do_not(bench: Bench):
    bench.version("a", [{"x": 1, "y": 0, "z": True}, {"x": 0, "y": 1, "z": False}], accuracy=0.5)
    assert metric_of(bench, "accuracy").kind == "total"
    other = Bench(bench.path / "other")
    other.version("a", [{"x": 1, "z": True}, {"x": 0, "z": False}], accuracy=0.5)
    assert metric_of(other, "accuracy").kind == "binary"


def test_one_digit_is_too_little_to_be_told_by(bench: Bench):
    bench.version("a", [{"score": value} for value in (0.41, 0.52, 0.55)], other=0.5)
    assert metric_of(bench, "other").kind == "total"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, True], "binary"),
        ([1, 0, 0.0], "binary"),
        ([1, 4.5, 3], "score"),
        (["1", "4", "2"], "score"),
        (["yes", "no", "yes"], None),
        (["1", "none", "2"], None),
        ([None, None, None], None),
    ],
)
def test_outputs_that_are_numbers_are_metrics(bench: Bench, values: list[object], kind: str | None):
    bench.version("a", [{"value": value} for value in values])
    found = {metric.name: metric.kind for metric in bench.evidence().metrics if metric.evaluator}
    assert found == ({"value": kind} if kind else {})


def test_outputs_in_outputs_have_a_name(bench: Bench):
    bench.version("a", [{"scores": {"f1": 0.5}}, {"scores": {"f1": 0.7}}])
    assert estimate_of(bench.evidence(), "scores.f1", "a").value == pytest.approx(0.6)


def test_the_file_says_where_a_metric_comes_from(bench: Bench):
    bench.version("a", [{"grade": "good"}, {"grade": "bad"}], accuracy=0.123)
    rule = MetricRule("accuracy", column="grade", equals="good")
    assert estimate_of(bench.evidence(metrics={"accuracy": rule}), "accuracy", "a").value == 0.5


def test_the_flow_s_own_output_can_be_a_metric(bench: Bench):
    bench.version("a", grades("++"))
    rule = MetricRule("hits", column="answer", equals="x")
    assert estimate_of(bench.evidence(metrics={"hits": rule}), "hits", "a").value == 1


def test_an_output_that_is_not_there_is_said(bench: Bench):
    bench.version("a", grades("++"))
    rule = MetricRule("accuracy", column="grde", equals="good", where="experiment.yaml:3")
    (warning,) = bench.evidence(metrics={"accuracy": rule}).warnings
    assert warning.startswith("experiment.yaml:3: no evaluator has the output 'grde'")
    assert "there are: grade" in warning


def test_metrics_of_two_evaluators_have_their_names(bench: Bench):
    bench.version("a", grades("+-"), accuracy=0.5)
    bench.evaluation("other", "a", {0: {"grade": "Correct"}, 1: {"grade": "Correct"}}, accuracy=1.0)
    evidence = bench.evidence()
    names = [metric.name for metric in evidence.metrics if metric.evaluator]
    assert names == ["judge.accuracy", "other.accuracy"]


def test_a_metric_of_one_evaluator_can_be_said_with_its_name(bench: Bench):
    bench.version("a", grades("+-"), accuracy=0.5)
    assert bench.evidence("judge.accuracy >= 0.5").verdict == "pass"


def test_defect_15_a_version_that_fails_on_hard_lines_does_not_score_better(bench: Bench):
    """The template left out lines whose run failed: 3 of 3 scored right looked better than 3 of 4."""
    bench.version("careful", grades("+++-"), accuracy=0.75)
    bench.version("crashes", grades("+++F"), accuracy=1.0)
    evidence = bench.evidence("accuracy >= 0.9", baseline=None)
    careful, crashes = (estimate_of(evidence, "accuracy", version) for version in ("careful", "crashes"))
    assert (careful.value, crashes.value) == (0.75, 0.75)
    assert (crashes.lines, crashes.failed_lines) == (4, 1)
    assert "A failed line counts 0." in crashes.metric.meaning


def test_defect_15_a_version_whose_every_line_failed_has_the_worst_score(bench: Bench):
    bench.version("works", grades("+-"), accuracy=0.5)
    bench.version("dead", grades("FF"))
    assert estimate_of(bench.evidence(), "accuracy", "dead").value == 0


def test_defect_15_lines_that_the_evaluator_failed_on_count_as_failed(bench: Bench):
    bench.version("a", grades("++"), accuracy=1.0)
    bench.evaluation("strict", "a", {0: {"ok": True}, 1: FAILED})
    found = estimate_of(bench.evidence(), "ok", "a")
    assert (found.value, found.lines, found.failed_lines) == (0.5, 2, 1)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MetricRule("score"), (2 + 4 + 2) / 3),
        (MetricRule("score", low=1, high=5), (2 + 4 + 1) / 3),
        (MetricRule("score", low=1, high=5, higher_is_better=False), (2 + 4 + 5) / 3),
        (MetricRule("score", higher_is_better=False), (2 + 4 + 4) / 3),
        (MetricRule("score", failed_lines=3.0), 3.0),
        (MetricRule("score", failed_lines="exclude"), 3.0),
    ],
)
def test_what_a_failed_line_counts(bench: Bench, rule: MetricRule, expected: float):
    bench.version("a", [{"score": 2}, {"score": 4}, FAILED])
    found = estimate_of(bench.evidence(metrics={"score": rule}), "score", "a")
    assert found.value == pytest.approx(expected)
    assert found.lines == (2 if rule.failed_lines == "exclude" else 3)


def test_lines_without_a_value_do_not_count_and_are_told(bench: Bench):
    bench.version("a", [{"score": 2}, {"score": None}, {"score": 4}])
    evidence = bench.evidence()
    assert estimate_of(evidence, "score", "a").value == 3
    assert math.isnan(evidence.scores[0].values["a"][1])
    assert "1 of 3 lines of a" in evidence.warnings[0]


def test_every_run_has_metrics_of_its_own(bench: Bench):
    usage = Usage(calls=1, prompt_tokens=7, completion_tokens=3, cost_usd=0.25, saved_usd=0.75)
    bench.version("a", grades("++F"), seconds=[0.1, 0.3, 9.0], usage=usage)
    evidence = bench.evidence()
    values = {each.metric.name: each.value for each in evidence.estimates if not each.metric.evaluator}
    assert values == pytest.approx(
        {
            "error_rate": 1 / 3,
            "failed_lines": 1,
            "latency_mean_ms": 200,
            "latency_p50_ms": 200,
            "latency_p95_ms": 290,
            "latency_p99_ms": 298,
            "cost_usd": 3,
            "cost_usd_per_line": 1,
            "tokens": 30,
            "tokens_per_line": 10,
        }
    )
    assert not any(metric.higher_is_better for metric in evidence.metrics if not metric.evaluator)


def test_an_evaluator_cannot_take_the_name_of_a_run_s_own_metric(bench: Bench):
    bench.version("a", [{"error_rate": 1}, {"error_rate": 1}])
    names = [metric.name for metric in bench.evidence().metrics]
    assert "judge.error_rate" in names
    assert names.count("error_rate") == 1
