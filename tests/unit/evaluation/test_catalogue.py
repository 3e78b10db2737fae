"""The catalogue says of each evaluator what its class does, and the documentation says the same."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flowyard.decisions.direction import find_stated
from flowyard.decisions.linking import Link
from flowyard.errors import NotFound
from flowyard.evaluation.builtin.catalogue import CATALOGUE, find_builtin, find_measure
from flowyard.evaluation.builtin.entry import NEEDED, BuiltinEvaluator
from flowyard.evaluation.builtin.listed_matches import MATCHES
from flowyard.evaluation.builtin.listed_scores import SCORES
from flowyard.evaluation.means import means
from flowyard.records import RunRecord

PAGE = Path(__file__).resolve().parents[3] / "docs" / "evaluators.md"
TEXT = "a cat sat on the mat"
CALL = {"function": {"name": "find", "arguments": '{"x": 1}'}}
SAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "regex": ({"pattern": "a+"}, {"answer": "aa"}),
    "length": ({}, {"answer": "aa"}),
    "is_json": ({}, {"answer": "{}"}),
    "json_schema": ({"schema": {"type": "object"}}, {"answer": "{}"}),
    "json_equality": ({}, {"answer": "[1]", "ground_truth": [1]}),
    "numeric_tolerance": ({}, {"answer": "1", "ground_truth": 1}),
    "tool_call_accuracy": ({}, {"answer": [CALL], "ground_truth": [CALL]}),
    "latency": ({}, {"latency_ms": 5.0}),
    "cost": ({}, {"cost_usd": 0.5}),
    "tokens": ({}, {"prompt_tokens": 5, "completion_tokens": 2}),
}
"""Options and values for one line; of those that are not here, two equal texts."""
ASKS_A_MODEL = [name for name, each in CATALOGUE.items() if each.model_calls]


def class_of(entry: BuiltinEvaluator) -> Any:
    module, _, name = entry.entry.partition(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_inputs_and_options_are_those_of_the_class(entry: BuiltinEvaluator) -> None:
    call = inspect.signature(class_of(entry).__call__).parameters
    assert [each.name for each in entry.inputs] == [name for name in call if name not in ("self", "line_number")]
    for each in entry.inputs:
        assert (call[each.name].default is not inspect.Parameter.empty) == (each.optional or each.unless is not None)
    made = inspect.signature(class_of(entry)).parameters
    defaults = {
        name: NEEDED if each.default is inspect.Parameter.empty else each.default for name, each in made.items()
    }
    options = {each.name: each.default for each in entry.options}
    if "options" in defaults:  # judges take what all judges take
        assert defaults.pop("options") is NEEDED
        options = {name: default for name, default in options.items() if name in defaults}
    assert options == defaults
    assert {each.unless for each in entry.inputs if each.unless} <= defaults.keys()


@pytest.mark.usefixtures("nltk_data")
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in ASKS_A_MODEL])
def test_outputs_and_metrics_are_those_of_the_class(name: str) -> None:
    entry = CATALOGUE[name]
    options, values = SAMPLES.get(name, ({}, {"answer": TEXT, "ground_truth": TEXT}))
    evaluator = class_of(entry)(**options)
    row = evaluator(**values)
    assert set(row) == {each.name for each in entry.outputs}
    for each in entry.outputs:
        value = row[each.name]
        if each.kind == "text":
            assert value is None or isinstance(value, str)
            continue
        assert each.low is None or value >= each.low
        assert each.high is None or value <= each.high
        assert each.kind != "binary" or value in (0, 1)
        if each.higher_is_better and each.high is not None:  # the answer is the expected one
            assert value == pytest.approx(each.high, abs=0.02)
    metrics = evaluator.__aggregate__([row, row]) if hasattr(evaluator, "__aggregate__") else means([row, row])
    assert set(metrics) == {each.metric for each in entry.outputs if each.metric} | {
        each.name for each in entry.metrics
    }


def test_a_wrong_name_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="'exact-match'") as raised:
        find_builtin("exact-match", "experiment.yaml:3")
    assert "exact_match" in str(raised.value.hint)
    assert raised.value.where == "experiment.yaml:3"


def test_bounds_and_direction_of_what_a_run_logged() -> None:
    properties = {"evaluator": {"type": "classification", "options": {}}}
    assert find_measure(properties, "accuracy") is find_measure(properties, "correct")
    found = find_measure(properties, "f1_macro")
    assert found is not None
    assert (found.low, found.high, found.higher_is_better) == (0, 1, True)
    distance = find_measure({"evaluator": {"type": "edit_distance"}}, "edit_distance")
    assert distance is not None
    assert (distance.high, distance.higher_is_better) == (None, False)
    assert find_measure(properties, "label") is None
    assert find_measure({}, "accuracy") is None


def test_the_page_lists_each_type_with_its_inputs_outputs_and_options() -> None:
    listed = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [set(re.findall(r"`([^`]+)`", cell)) for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and len(cells[0]) == 1:
            listed[next(iter(cells[0]))] = cells[1:]
    for entry in (*MATCHES, *SCORES):  # judges have a page of their own
        given = {each.name for each in entry.outputs} | {each.name for each in entry.metrics}
        expected = [{each.name for each in entry.inputs}, given, {each.name for each in entry.options}]
        assert listed.get(entry.name) == expected, entry.name


def test_decisions_know_the_direction_of_what_an_evaluator_states() -> None:
    record = {"status": "completed", "flow": "f", "path": Path()}
    run = RunRecord("n", properties={"evaluator": {"type": "numeric_tolerance"}}, **record)  # type: ignore[arg-type]
    stated = find_stated(run, "my_error", Link("absolute_error"))
    assert stated is not None
    assert stated.higher_is_better is False
    assert find_stated(run, "x", Link("absolute_error", equals="0")) is None
    assert find_stated(RunRecord("n", **record), "absolute_error", None) is None  # type: ignore[arg-type]
