"""The blocks that say how to decide: every form, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.yamlfile import YamlFile, parse_yaml
from flowyard.decisions.gate_blocks import parse_baseline_block, parse_gate_text, parse_gates_block
from flowyard.decisions.policy import Baseline, Gate, Racing
from flowyard.decisions.policy_blocks import (
    parse_cluster_block,
    parse_inconclusive_block,
    parse_metrics_block,
    parse_racing_block,
    parse_slices_block,
)
from flowyard.errors import UserError


def file_of(text: str) -> YamlFile:
    return parse_yaml(text, Path("experiment.yaml"))


def gates_of(text: str) -> tuple[Gate, ...]:
    file = file_of(text)
    return parse_gates_block(file.data["gates"], file, "gates")


def refused(text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        gates_of(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "metric", "condition", "number"),
    [
        ("accuracy >= 0.9", "accuracy", "at_least", 0.9),
        ("evaluate.accuracy>=0.9", "evaluate.accuracy", "at_least", 0.9),
        ("latency_p95_ms <= 800", "latency_p95_ms", "at_most", 800),
        ("cost_usd < 1e-2", "cost_usd", "below", 0.01),
        ("  score   >  -1 ", "score", "above", -1),
    ],
)
def test_the_short_form(text: str, metric: str, condition: str, number: float):
    gate = parse_gate_text(text)
    assert (gate.metric, gate.condition, gate.number) == (metric, condition, number)
    assert parse_gate_text(gate.text) == gate


@given(st.floats(-1e6, 1e6), st.sampled_from([">=", "<=", ">", "<"]))
def test_any_number_is_read_back(number: float, sign: str):
    assert parse_gate_text(f"a.b {sign} {number!r}").number == number


@pytest.mark.parametrize("text", ["accuracy", "accuracy = 0.9", "accuracy == 0.9", "accuracy >= high", ">= 0.9", ""])
def test_what_is_no_short_form_is_refused(text: str):
    with pytest.raises(UserError):
        parse_gate_text(text)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_threshold_is_finite(number: str):
    with pytest.raises(UserError):
        parse_gate_text(f"accuracy >= {number}")


def test_mappings_say_more_than_strings():
    gates = gates_of(
        """\
gates:
- {metric: accuracy, not_worse_than: baseline, by: 0.01}
- {metric: accuracy, better_than: baseline}
- {metric: accuracy, better_than: {run: nightly}, dataset: tickets}
- {metric: accuracy, not_worse_than: classify=a}
- {metric: latency_p95_ms, at_most: 800, slice: {category: hard, urgent: true}, variant: classify=b, confidence: 0.9}
"""
    )
    assert [gate.text for gate in gates] == [
        "accuracy not worse than baseline by 0.01",
        "accuracy better than baseline",
        "accuracy better than run nightly on tickets",
        "accuracy not worse than classify=a",
        "latency_p95_ms <= 800 where category=hard where urgent=true for classify=b with 0.9 confidence",
    ]
    assert gates[0].against is None
    assert gates[2].against == Baseline(run="nightly")
    assert gates[3].against == Baseline(label="classify=a")
    assert gates[4].slice == {"category": "hard", "urgent": "true"}
    assert [gate.where for gate in gates] == [f"experiment.yaml:{line}" for line in range(2, 7)]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{metric: accuracy, at_leest: 0.9}", "Did you mean 'at_least'?"),
        ("{metric: accuracy}", "no condition"),
        ("{metric: accuracy, at_least: 1, below: 2}", "exactly one"),
        ("{at_least: 1}", "needs 'metric'"),
        ("{metric: accuracy, at_least: 0.9, by: 0.1}", "'by' is the margin"),
        ("{metric: accuracy, not_worse_than: baseline, by: -0.1}", "below 0"),
        ("{metric: accuracy, better_than: {rnu: x}}", "Did you mean 'run'?"),
        ("{metric: accuracy, at_least: 0.9, slice: hard}", "{column: value}"),
        ("{metric: accuracy, at_least: 0.9, confidence: 95}", "from 0.5 to below 1"),
        ("{metric: accuracy, at_least: true}", "not a number"),
        ("{metric: accuracy, at_least: 0.9, variant: 3}", "is a name"),
        ("7", "not a gate"),
    ],
)
def test_mistakes_have_their_line_and_a_next_step(gate: str, said: str):
    error = refused(f'gates:\n- "a >= 1"\n- {gate}\n')
    assert error.where == "experiment.yaml:3"
    assert said in f"{error} {error.hint}"


def test_gates_are_a_list():
    assert refused("gates: {metric: accuracy}\n").where == "experiment.yaml:1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("defaults", Baseline(label="defaults")),
        ({"run": "nightly"}, Baseline(run="nightly")),
        ({"variant": "classify=a"}, Baseline(label="classify=a")),
        (None, None),
    ],
)
def test_baselines(value: Any, expected: Baseline | None):
    assert parse_baseline_block(value, file_of("baseline: x"), "baseline") == expected


@pytest.mark.parametrize("value", [3, "", {"run": ""}, {"run": "a", "variant": "b"}, {"model": "a"}])
def test_what_cannot_be_a_baseline(value: Any):
    with pytest.raises(UserError):
        parse_baseline_block(value, file_of("baseline: x"), "baseline")


def test_metrics():
    file = file_of(
        "metrics:\n  accuracy: {from: grade, equals: Correct}\n  judge: {from: j.score, low: 1, high: 5,"
        " failed_lines: exclude, labels: human}\n  pace: {higher_is_better: false, failed_lines: 9}\n"
    )
    rules = parse_metrics_block(file.data["metrics"], file, "metrics")
    assert (rules["accuracy"].column, rules["accuracy"].equals, rules["accuracy"].failed_lines) == (
        "grade",
        "Correct",
        "worst",
    )
    assert (rules["judge"].low, rules["judge"].high, rules["judge"].failed_lines) == (1, 5, "exclude")
    assert rules["judge"].labels == "human"
    assert (rules["pace"].higher_is_better, rules["pace"].failed_lines) == (False, 9)
    assert rules["judge"].where == "experiment.yaml:3"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{form: grade}", "Did you mean 'from'?"),
        ("{equals: x}", "needs 'from'"),
        ("{low: 5, high: 1}", "not below"),
        ("{failed_lines: wurst}", "Did you mean 'worst'?"),
        ("{higher_is_better: 1}", "true or false"),
        ("{from: 3}", "name of a column"),
        ("grade", "not a mapping"),
    ],
)
def test_mistakes_in_metrics(rule: str, said: str):
    file = file_of(f"metrics:\n  accuracy: {rule}\n")
    with pytest.raises(UserError) as caught:
        parse_metrics_block(file.data["metrics"], file, "metrics")
    assert caught.value.where == "experiment.yaml:2"
    assert said in f"{caught.value} {caught.value.hint}"


def test_the_small_blocks():
    file = file_of("racing: true")
    assert parse_racing_block(True, file) == Racing()
    assert parse_racing_block(False, file) is None
    assert parse_racing_block({"metric": "m", "alpha": 0.1, "min_lines": 5}, file) == Racing("m", 0.1, 5)
    assert parse_slices_block(["a", "b", "a"], file) == ("a", "b")
    assert parse_inconclusive_block("pass", file) == "pass"
    assert parse_cluster_block("user", file) == "user"
    for parse, value in [
        (parse_racing_block, {"alfa": 1}),
        (parse_racing_block, {"alpha": 1}),
        (parse_racing_block, {"min_lines": 2.5}),
        (parse_racing_block, "yes"),
        (parse_slices_block, [1]),
        (parse_inconclusive_block, "ignore"),
        (parse_cluster_block, 3),
    ]:
        with pytest.raises(UserError):
            parse(value, file)  # type: ignore[operator]
