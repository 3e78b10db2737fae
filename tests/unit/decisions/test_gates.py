"""Each form of gate: when it passes, fails, or cannot tell, and whom it judges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from decision_bench import FAILED, Bench, difference_of, grades, only_gate

from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.gate_blocks import parse_gate_text
from flowyard.decisions.policy import Baseline, DecisionPolicy, MetricRule
from flowyard.experiments.comparison import compare_variants
from flowyard.records import Usage


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("accuracy >= 0.75", "pass"),
        ("accuracy > 0.75", "fail"),
        ("accuracy <= 0.75", "pass"),
        ("accuracy < 0.75", "fail"),
        ("accuracy >= 0.76", "fail"),
        ({"metric": "accuracy", "at_least": 0.2, "confidence": 0.95}, "pass"),
        ({"metric": "accuracy", "at_least": 0.7, "confidence": 0.95}, "inconclusive"),
        ({"metric": "accuracy", "at_least": 0.99, "confidence": 0.95}, "fail"),
        ({"metric": "accuracy", "below": 0.99, "confidence": 0.95}, "pass"),
        ("error_rate <= 0", "pass"),
        ("latency_p95_ms <= 100.1", "pass"),
        ("latency_p95_ms <= 99", "fail"),
        ("tokens <= 0", "pass"),
        ("cost_usd <= 0.01", "pass"),
    ],
)
def test_absolute_gates(bench: Bench, gate: str | Mapping[str, Any], verdict: str):
    bench.version("defaults", grades("+++-"), accuracy=0.75)
    evidence = bench.evidence(gate)
    assert only_gate(evidence).verdict == verdict
    assert evidence.verdict == verdict


def test_the_reason_has_the_value_and_its_interval(bench: Bench):
    bench.version("defaults", grades("+++F"), accuracy=1.0)
    gate = only_gate(bench.evidence("accuracy >= 0.9"))
    assert gate.reason == ("accuracy is 0.75 (95 % interval 0.3006 to 0.9544, Wilson) over 4 lines, 1 of them failed.")
    assert (gate.value, gate.threshold, gate.version, gate.dataset) == (0.75, 0.9, "defaults", "tickets")


def test_defect_16_a_run_of_failed_lines_only_fails_every_gate_on_quality(bench: Bench):
    """The template's status was Completed although every line had failed, and its pipeline was green."""
    bench.version("defaults", grades("FFFF"))
    evidence = bench.evidence("error_rate <= 0.05", "accuracy >= 0.5")
    assert [gate.verdict for gate in evidence.gates] == ["fail", "fail"]
    assert evidence.verdict == "fail"


def test_defect_16_a_metric_that_was_not_measured_fails_and_says_what_was(bench: Bench):
    bench.version("defaults", grades("++"), accuracy=1.0)
    gate = only_gate(bench.evidence("acuracy >= 0.5"))
    assert gate.verdict == "fail"
    assert "Did you mean 'accuracy'?" in gate.reason
    assert "'latency_p95_ms'" in gate.reason


def test_a_metric_that_two_evaluators_give_has_to_be_said_with_one(bench: Bench):
    bench.version("defaults", grades("+-"), accuracy=0.5)
    bench.evaluation("other", "defaults", {0: {"grade": "Correct"}, 1: {"grade": "Correct"}}, accuracy=1.0)
    assert "write judge.accuracy or other.accuracy" in only_gate(bench.evidence("accuracy >= 0.5")).reason
    assert bench.evidence("other.accuracy >= 1").verdict == "pass"


def test_leaving_out_failed_lines_never_passes_a_number_of_a_whole_run(bench: Bench):
    bench.version("defaults", grades("+++F"), macro=0.9173)
    gate = only_gate(bench.evidence("macro >= 0.9"))
    assert gate.verdict == "inconclusive"
    assert "1 failed lines are not in that number" in gate.reason
    lenient = bench.evidence("macro >= 0.9", metrics={"macro": MetricRule("macro", failed_lines="exclude")})
    assert lenient.verdict == "pass"
    assert bench.evidence("macro >= 0.95").verdict == "fail"


def test_without_a_version_the_flow_s_defaults_are_judged(bench: Bench):
    bench.version("defaults", grades("+-"), accuracy=0.5)
    bench.version("b", grades("++"), accuracy=1.0)
    gate = only_gate(bench.evidence("accuracy >= 0.9"))
    assert (gate.version, gate.verdict) == ("defaults", "fail")


def test_when_the_defaults_were_not_run_every_version_is_judged(bench: Bench):
    bench.version("a", grades("+-"), accuracy=0.5)
    bench.version("b", grades("++"), accuracy=1.0)
    record = replace(bench.experiment, defaults=None)
    policy = DecisionPolicy(gates=(parse_gate_text("accuracy >= 0.9"),))
    gates = gather_evidence(compare_variants(record), policy).gates
    assert [(gate.version, gate.verdict) for gate in gates] == [("a", "fail"), ("b", "pass")]


@pytest.mark.parametrize("name", ["classify=b", "classify.b", "b"])
def test_a_version_is_named_in_full_or_in_part(bench: Bench, name: str):
    bench.version("classify=a", grades("+-"), accuracy=0.5)
    bench.version("classify=b", grades("++"), accuracy=1.0)
    gate = only_gate(bench.evidence({"metric": "accuracy", "at_least": 0.9, "variant": name}))
    assert (gate.version, gate.verdict) == ("classify=b", "pass")


def test_a_version_or_a_dataset_that_was_not_run_fails(bench: Bench):
    bench.version("classify=a", grades("+-"), accuracy=0.5)
    wanted = {"metric": "accuracy", "at_least": 0.1}
    assert "was not run" in only_gate(bench.evidence({**wanted, "variant": "classify=z"})).reason
    gate = only_gate(bench.evidence({**wanted, "dataset": "tikcets"}))
    assert (gate.verdict, "Did you mean 'tickets'?" in gate.reason) == ("fail", True)


def test_every_dataset_is_judged_unless_one_is_named(bench: Bench):
    bench.version("defaults", grades("++"), accuracy=1.0)
    bench.version("defaults", grades("--"), dataset="hard", accuracy=0.0)
    evidence = bench.evidence("accuracy >= 0.9")
    assert {gate.dataset: gate.verdict for gate in evidence.gates} == {"tickets": "pass", "hard": "fail"}
    assert bench.evidence({"metric": "accuracy", "at_least": 0.9, "dataset": "tickets"}).verdict == "pass"


def _sliced(bench: Bench) -> None:
    rows = [{"kind": "easy" if number < 6 else "hard", "ok": number != 7} for number in range(8)]
    usage = Usage(calls=1, prompt_tokens=5, cost_usd=0.5)
    bench.version("defaults", grades("+++++++-"), rows=rows, seconds=[0.1] * 6 + [0.5] * 2, usage=usage, accuracy=0.875)


@pytest.mark.parametrize(
    ("gate", "verdict", "value"),
    [
        ({"metric": "accuracy", "at_least": 0.9, "slice": {"kind": "easy"}}, "pass", 1.0),
        ({"metric": "accuracy", "at_least": 0.9, "slice": {"kind": "hard"}}, "fail", 0.5),
        ({"metric": "accuracy", "at_least": 0.9, "slice": {"kind": "hard", "ok": True}}, "pass", 1.0),
        ({"metric": "latency_p95_ms", "at_most": 200, "slice": {"kind": "easy"}}, "pass", 100.0),
        ({"metric": "latency_p95_ms", "at_most": 200, "slice": {"kind": "hard"}}, "fail", 500.0),
        ({"metric": "cost_usd", "at_most": 1, "slice": {"kind": "hard"}}, "pass", 1.0),
        ({"metric": "tokens", "at_most": 9, "slice": {"kind": "hard"}}, "fail", 10.0),
        ({"metric": "accuracy", "at_least": 0.9, "slice": {"kind": "odd"}}, "fail", None),
        ({"metric": "accuracy", "at_least": 0.9, "slice": {"colour": "red"}}, "fail", None),
    ],
)
def test_gates_on_slices(bench: Bench, gate: Mapping[str, Any], verdict: str, value: float | None):
    _sliced(bench)
    found = only_gate(bench.evidence(gate))
    assert (found.verdict, found.value) == (verdict, None if value is None else pytest.approx(value))


def test_slices_are_columns_of_few_values(bench: Bench):
    rows = [{"kind": str(number % 2), "id": str(number), "half": number % 2 == 0} for number in range(40)]
    bench.version("defaults", grades("+-" * 20), rows=rows, accuracy=0.5)
    assert bench.evidence().columns == ("kind", "half")
    evidence = bench.evidence(slices=("id", "kind", "colour"))
    assert evidence.columns == ("kind",)
    assert "40 different values" in evidence.warnings[0]
    assert "no column 'colour'" in evidence.warnings[1]
    found = {each.slice["kind"]: each.value for each in evidence.slices if each.metric.name == "accuracy"}
    assert found == {"0": 1.0, "1": 0.0}


def _two(bench: Bench, before: str, after: str) -> None:
    bench.version("defaults", grades(before))
    bench.version("new", grades(after))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("+" * 20 + "-" * 20, "+" * 32 + "-" * 8, "pass"),
        ("+" * 20 + "-" * 20, "+" * 22 + "-" * 18, "inconclusive"),
        ("+" * 32 + "-" * 8, "+" * 20 + "-" * 20, "fail"),
        ("+-", "+-", "inconclusive"),
    ],
)
def test_better_than_the_baseline(bench: Bench, before: str, after: str, verdict: str):
    _two(bench, before, after)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = only_gate(bench.evidence({"metric": "accuracy", "better_than": "baseline"}, metrics=rule))
    assert (gate.version, gate.verdict) == ("new", verdict)
    assert "McNemar mid-p" in gate.reason
    assert gate.p_value is not None


def test_an_unclear_gate_says_how_many_lines_it_needs(bench: Bench):
    _two(bench, "+" * 20 + "-" * 20, "+" * 22 + "-" * 18)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = only_gate(bench.evidence({"metric": "accuracy", "better_than": "baseline"}, metrics=rule))
    assert gate.lines_needed is not None
    assert f"About {gate.lines_needed:,} lines would show it." in gate.reason
    assert gate.lines_needed > 40


@pytest.mark.parametrize(
    ("after", "margin", "verdict"),
    [
        ("+" * 198 + "-" * 2, 0.05, "pass"),
        ("+" * 198 + "-" * 2, 0.01, "inconclusive"),
        ("+" * 150 + "-" * 50, 0.05, "fail"),
        ("+" * 200, 0.0, "pass"),
    ],
)
def test_not_worse_than_the_baseline_by_a_margin(bench: Bench, after: str, margin: float, verdict: str):
    _two(bench, "+" * 200, after)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = only_gate(bench.evidence({"metric": "accuracy", "not_worse_than": "baseline", "by": margin}, metrics=rule))
    assert (gate.verdict, gate.version) == (verdict, "new"), gate.reason


def test_a_gate_on_not_worse_names_the_test_that_was_made_and_the_lines_that_it_needs(bench: Bench):
    """27 lines: 3 won, 3 lost. The difference is nothing, so only the margin can be shown."""
    _two(bench, "+" * 21 + "+++---", "+" * 21 + "---+++")
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = only_gate(bench.evidence({"metric": "accuracy", "not_worse_than": "baseline", "by": 0.1}, metrics=rule))
    assert gate.verdict == "inconclusive"
    assert "Tango's score test" in gate.reason
    assert "McNemar" not in gate.reason
    spread = 6 / 26  # the variance of 6 differences of 1 among 27
    assert gate.lines_needed == math.ceil((1.6448536 + 0.8416212) ** 2 * spread / 0.1**2)
    assert f"About {gate.lines_needed} lines would show it." in gate.reason


def test_numbers_too_large_to_be_summed_are_no_values(bench: Bench):
    bench.version("defaults", [{"score": "1e308"}, {"score": 1e308}, {"score": 0.5}])
    bench.version("new", [{"score": -1e308}, {"score": 1e200}, {"score": 1.0}])
    rule = {"score": MetricRule("score", column="score")}
    evidence = bench.evidence("score >= 0.5", metrics=rule)
    assert only_gate(evidence).value == 0.5
    assert any("2 of 3 lines of new" in warning for warning in evidence.warnings)


def test_a_metric_where_lower_is_better_turns_relative_gates(bench: Bench):
    bench.version("defaults", grades("+" * 30), seconds=[0.2 + 0.001 * (number % 7) for number in range(30)])
    bench.version("new", grades("+" * 30), seconds=[0.1 + 0.001 * (number % 5) for number in range(30)])
    evidence = bench.evidence({"metric": "latency_mean_ms", "better_than": "baseline"})
    assert only_gate(evidence).verdict == "pass"
    difference = difference_of(evidence, "latency_mean_ms", "new")
    assert (difference.winner, difference.won, difference.lost) == ("better", 30, 0)
    assert difference.value < 0


def test_scores_are_compared_by_flipping_signs(bench: Bench):
    bench.version("defaults", [{"score": number % 4} for number in range(24)])
    bench.version("new", [{"score": number % 4 + (1 if number % 3 else 0)} for number in range(24)])
    evidence = bench.evidence({"metric": "score", "better_than": "baseline"})
    assert only_gate(evidence).verdict == "pass"
    difference = difference_of(evidence, "score", "new")
    assert (difference.method, difference.won, difference.lost, difference.tied) == ("sign flips", 16, 0, 8)
    assert difference.interval is not None
    assert difference.interval.low < 2 / 3 < difference.interval.high


def test_lines_of_one_cluster_are_not_counted_as_independent(bench: Bench):
    rows = [{"user": f"u{number // 8}"} for number in range(32)]
    before, after = "+" * 16 + "-" * 16, "+" * 24 + "-" * 8
    bench.version("defaults", grades(before), rows=rows)
    bench.version("new", grades(after), rows=rows)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = {"metric": "accuracy", "better_than": "baseline"}
    assert only_gate(bench.evidence(gate, metrics=rule)).verdict == "pass"
    clustered = only_gate(bench.evidence(gate, metrics=rule, cluster="user"))
    assert clustered.verdict == "inconclusive"
    assert "cluster" in clustered.reason


def test_all_tests_of_the_gates_are_corrected_together(bench: Bench):
    _two(bench, "+" * 20 + "-" * 20, "+" * 26 + "-" * 14)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    gate = {"metric": "accuracy", "better_than": "baseline"}
    alone = only_gate(bench.evidence(gate, metrics=rule))
    together = bench.evidence(gate, gate, gate, metrics=rule)
    assert alone.verdict == "pass"
    assert [each.p_value for each in together.gates] == pytest.approx([3 * (alone.p_value or 0)] * 3)
    assert "after Holm over 3 tests" in together.gates[0].reason


def test_the_baseline_can_be_another_version(bench: Bench):
    bench.version("defaults", grades("+" * 30))
    bench.version("old", grades("-" * 30))
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    evidence = bench.evidence(
        {"metric": "accuracy", "better_than": "baseline"}, metrics=rule, baseline=Baseline(label="old")
    )
    assert (only_gate(evidence).version, evidence.baseline, evidence.verdict) == ("defaults", "old", "pass")


@pytest.mark.parametrize("condition", ["better_than", "not_worse_than"])
def test_a_gate_on_a_baseline_that_was_not_run_fails(bench: Bench, condition: str):
    bench.version("defaults", grades("++"))
    gate = {"metric": "error_rate", condition: "baseline"}
    evidence = bench.evidence(gate, baseline=Baseline(label="gone"), inconclusive="pass")
    assert evidence.verdict == "fail"
    assert "gone, was not run over tickets" in only_gate(evidence).reason
    assert "The baseline 'gone' was not run" in evidence.warnings[0]
    assert only_gate(bench.evidence({"metric": "error_rate", condition: {"run": "old"}})).verdict == "fail"


def test_a_baseline_without_the_number_fails(bench: Bench):
    bench.version("defaults", grades("+-+"))
    bench.version("new", grades("++-"), macro=0.623)
    gate = only_gate(bench.evidence({"metric": "macro", "better_than": "baseline"}))
    assert (gate.verdict, gate.reason) == ("fail", "macro was not measured for defaults on tickets.")


def test_a_metric_that_no_line_has_because_all_failed_says_so(bench: Bench):
    bench.version("defaults", grades("FF"))
    bench.version("new", grades("FF"))
    gate = only_gate(bench.evidence("exact_match >= 0.5"))
    assert gate.verdict == "fail"
    assert "'exact_match' was not measured: all 4 lines of the flow failed." in gate.reason


def test_a_metric_of_an_evaluator_whose_every_line_failed_says_so(bench: Bench):
    bench.version("defaults", grades("+-"))
    bench.evaluation("say", "defaults", {0: FAILED, 1: FAILED})
    gate = only_gate(bench.evidence("exact_match >= 0.5"))
    assert "'exact_match' was not measured: all 2 lines of the evaluator 'say' failed." in gate.reason


def test_a_number_of_a_whole_run_is_compared_without_a_test(bench: Bench):
    bench.version("defaults", grades("+-+"), macro=0.511)
    bench.version("new", grades("++-"), macro=0.623)
    gate = only_gate(bench.evidence({"metric": "macro", "better_than": "baseline"}))
    assert gate.verdict == "pass"
    assert gate.p_value is None
    assert "compared without a test" in gate.reason


def test_versions_without_a_common_line_cannot_be_compared(bench: Bench):
    bench.version("defaults", [{"score": 1.5}, FAILED, {"score": 2}])
    bench.version("new", [FAILED, {"score": 1.5}, FAILED])
    rule = {"score": MetricRule("score", failed_lines="exclude")}
    gate = only_gate(bench.evidence({"metric": "score", "better_than": "baseline"}, metrics=rule))
    assert (gate.verdict, "no line in common" in gate.reason) == ("inconclusive", True)


def test_kept_answers_and_unknown_prices_are_said(bench: Bench):
    bench.version("defaults", grades("++"), usage=Usage(calls=1, cached_calls=3, unpriced_calls=2))
    latency, cost = bench.evidence("latency_p95_ms <= 800", "cost_usd <= 1").gates
    assert "6 of 8 answers were kept from before" in latency.reason
    assert "4 model calls of defaults have no known price" in cost.reason
    assert cost.verdict == "inconclusive"


def test_what_a_simulated_model_costs_is_not_known(bench: Bench):
    usage = Usage(calls=1, cached_calls=1, simulated_calls=2)
    bench.version("defaults", grades("++"), usage=usage, accuracy=1.0)
    bench.version("new", grades("++"), usage=usage, accuracy=1.0)
    cost, per_line, cheaper, dear, quality = bench.evidence(
        "cost_usd < 1",
        "cost_usd_per_line < 0.01",
        {"metric": "cost_usd_per_line", "not_worse_than": "baseline", "by": 0.1, "variant": "new"},
        "cost_usd > 1",
        "accuracy >= 0.5",
    ).gates
    for gate in (cost, per_line, cheaper):
        assert gate.verdict == "inconclusive"
        assert "4 of 4 answers of" in gate.reason
        assert "a simulated model's: what they cost is not known." in gate.reason
    assert dear.verdict == "fail"
    assert quality.verdict == "pass"


def test_what_a_race_dropped_is_judged_only_when_it_is_named(bench: Bench):
    bench.version("a", grades("++"), accuracy=1.0)
    bench.version("b", grades("--"), accuracy=0.0)
    bench.races = ({"dataset": "tickets", "dropped": ["b"]},)
    record = replace(bench.experiment, defaults=None)
    policy = DecisionPolicy(gates=(parse_gate_text("accuracy >= 0.9"),))
    (gate,) = gather_evidence(compare_variants(record), policy).gates
    assert gate.version == "a"


def test_nothing_is_decided_without_gates(bench: Bench):
    bench.version("defaults", grades("++"), accuracy=1.0)
    evidence = bench.evidence()
    assert (evidence.gates, evidence.verdict) == ((), None)


def test_defect_13_versions_are_ranked_with_differences_and_how_sure_they_are(bench: Bench):
    """The template printed means side by side: no difference, no test, no baseline."""
    bench.version("defaults", grades("+" * 20 + "-" * 20), seconds=[0.3] * 40, accuracy=0.5)
    bench.version("new", grades("+" * 32 + "-" * 8), seconds=[0.1] * 40, accuracy=0.8)
    bench.version("same", grades("+" * 20 + "-" * 20), seconds=[0.3] * 40, accuracy=0.5)
    evidence = bench.evidence()
    assert evidence.baseline == "defaults"
    found = difference_of(evidence, "accuracy", "new")
    assert (found.value, found.won, found.lost, found.winner) == (pytest.approx(0.3), 12, 0, "better")
    assert found.p_value is not None
    assert found.p_adjusted is not None
    assert found.p_value <= found.p_adjusted
    assert difference_of(evidence, "accuracy", "same").winner == "unclear"
    assert evidence.pareto == {"tickets": ("new",)}


def test_without_the_column_of_clusters_no_test_of_a_gate_is_trusted(bench: Bench):
    rows = [{"user": "u"} for _ in range(32)]
    bench.version("defaults", grades("+" * 16 + "-" * 16), rows=rows)
    bench.version("new", grades("+" * 30 + "-" * 2), rows=rows)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    evidence = bench.evidence({"metric": "accuracy", "better_than": "baseline"}, metrics=rule, cluster="usr")
    assert only_gate(evidence).verdict == "inconclusive"
    assert "belong together" in only_gate(evidence).reason
    assert any("no column 'usr'" in warning for warning in evidence.warnings)


def test_very_many_clusters_are_not_resampled(bench: Bench):
    lines = 6_000
    rows = [{"user": f"u{number // 2}"} for number in range(lines)]
    bench.version("defaults", grades("+-" * (lines // 2)), rows=rows)
    bench.version("new", grades("+++-" * (lines // 4)), rows=rows)
    rule = {"accuracy": MetricRule("accuracy", column="grade", equals="Correct")}
    evidence = bench.evidence(metrics=rule, cluster="user")
    found = difference_of(evidence, "accuracy", "new")
    assert found.interval is not None
    assert (found.winner, found.interval.method) == ("better", "t of clusters")
    assert found.interval.low == pytest.approx(0.25 - 1.9608 * 0.25 / 3_000**0.5, rel=1e-3)


def test_a_rule_under_the_evaluators_name_leaves_failed_lines_out(bench: Bench):
    bench.version("a", [FAILED, {"x": "a"}, {"x": "b"}], macro=0.95)
    assert only_gate(bench.evidence("macro >= 0.9")).verdict == "inconclusive"
    rule = {"judge.macro": MetricRule("judge.macro", failed_lines="exclude")}
    assert only_gate(bench.evidence("macro >= 0.9", metrics=rule)).verdict == "pass"
