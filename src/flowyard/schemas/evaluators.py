"""Evaluators that come with flowyard: their options in ``experiment.yaml``, and what golden cases expect."""

from __future__ import annotations

from flowyard.deploy.endpoint_test.golden import BOUND_KEYS, CASE_KEYS, answer_input, golden_evaluators
from flowyard.evaluation.builtin.catalogue import CATALOGUE
from flowyard.evaluation.builtin.entry import BuiltinEvaluator, EvaluatorOption
from flowyard.schemas.forms import NAME, NUMBER, Schema, choice, either, said, with_keys

__all__ = ["golden_schema", "option_rules"]


def option_rules() -> list[Schema]:
    """What ``type`` may be, and which ``options`` each type has; the shape of an option is its evaluator's matter."""
    known: Schema = {"properties": {"type": {"enum": [*CATALOGUE, None]}}}
    return [known, *(_if_type(entry.name, {"options": _options(entry)}) for entry in CATALOGUE.values())]


def golden_schema() -> Schema:
    """The schema of golden cases."""
    expect = _expectation()
    case = with_keys(
        CASE_KEYS,
        {
            "name": ({}, "What the case is called in reports"),
            "request": ({"type": "object"}, "What is sent: the flow's inputs"),
            "expect": (
                either({"type": "array", "items": expect, "minItems": 1}, expect),
                "What the answer has to be",
            ),
        },
        needed=("request", "expect"),
    )
    cases = {"type": "array", "items": case, "minItems": 1}
    return with_keys(("cases",), {"cases": (cases, "Requests, with what their answers have to be")}, needed=("cases",))


def _options(entry: BuiltinEvaluator) -> Schema:
    keys = {each.name: said(_default(each), each.meaning) for each in entry.options}
    return {"type": ["object", "null"], "properties": keys, "additionalProperties": False}


def _default(option: EvaluatorOption) -> Schema:
    usual = option.default
    return {"default": usual} if isinstance(usual, str | int | float) and not option.is_needed else {}


def _expectation() -> Schema:
    entries = golden_evaluators()
    common = {
        "type": said(choice(entries), "The evaluator that judges: flowyard evaluator list"),
        "output": said({}, "The output that is judged; the whole answer otherwise"),
        "measure": said(NAME, "Which number of the evaluator counts"),
        "at_least": said(NUMBER, "The smallest value that is good enough"),
        "at_most": said(NUMBER, "The largest value that is good enough"),
    }
    if set(common) != set(BOUND_KEYS):
        raise ValueError(f"The reader knows {sorted(BOUND_KEYS)}, the schema {sorted(common)}.")
    rules = [_for_type(entry, common) for entry in entries.values()]
    return {"type": "object", "required": ["type"], "properties": {"type": common["type"]}, "allOf": rules}


def _for_type(entry: BuiltinEvaluator, common: dict[str, Schema]) -> Schema:
    answer = answer_input(entry)
    own = {each.name: said({}, each.meaning) for each in entry.inputs if each.name != answer}
    own |= {each.name: said(_default(each), each.meaning) for each in entry.options}
    rule = _if_type(entry.name, {**common, **own})
    rule["then"]["additionalProperties"] = False
    return rule


def _if_type(name: str, keys: dict[str, Schema]) -> Schema:
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": {"properties": keys}}
