"""The blocks of ``experiment.yaml`` that are read by who they belong to, each with the keys that its reader goes by."""

from __future__ import annotations

from typing import get_args

from flowyard.approval.policy import ApprovalBlock
from flowyard.decisions.gate_blocks import GATE_KEYS
from flowyard.decisions.policy import CONDITIONS
from flowyard.decisions.policy_blocks import METRIC_KEYS, RACING_KEYS
from flowyard.experiments.space.parameters import RANGE_KEYS
from flowyard.experiments.space.search import SEARCH_KEYS, Method
from flowyard.experiments.space.variants import NAMED_KEYS, VARIANTS_KEYS, Mode
from flowyard.llm.cache.block import CACHE_KEYS
from flowyard.llm.pacing.limits import LIMIT_WORDS
from flowyard.schemas.forms import (
    NAME,
    NAMES,
    NUMBER,
    TEXT,
    Schema,
    choice,
    either,
    or_nothing,
    with_keys,
)
from flowyard.schemas.models import model_schema

__all__ = ["experiment_blocks"]

_VARIANT_ID: Schema = {"type": ["string", "integer"]}
_VARIANT_IDS = either(_VARIANT_ID, {"type": "array", "items": _VARIANT_ID, "minItems": 1})
_ABOVE_0: Schema = {"type": "number", "exclusiveMinimum": 0}
_LIMIT_TEXT: Schema = {"type": "string", "pattern": "^[^:,]+:[^:,]+(,[^:,]+:[^:,]+)*$"}
_COUNT: Schema = {"type": "integer", "minimum": 1}


def experiment_blocks() -> dict[str, Schema]:
    """The schema of each block by its name."""
    return {
        "metrics": {"type": "object", "additionalProperties": _metric()},
        "variants": _variants(),
        "parameters": {"type": "object", "additionalProperties": either(_range(), *_values())},
        "search": _search(),
        "racing": either({"type": "boolean"}, _racing()),
        "baseline": _baseline(),
        "slices": {"type": "array", "items": NAME},
        "gates": {"type": "array", "items": either(_gate_text(), _gate())},
        "inconclusive": choice(("fail", "pass")),
        "cluster": NAME,
        "ships": NAME,
        "approval": model_schema(ApprovalBlock),
        "limits": {"type": "object", "additionalProperties": either(_limit(), _LIMIT_TEXT)},
        "cache": either(choice(("on", "off", "refresh", True, False)), _cache()),
    }


def _metric() -> Schema:
    number = or_nothing(NUMBER)
    return with_keys(
        METRIC_KEYS,
        {
            "from": (or_nothing(NAME), "The output of an evaluator that has its value: grade, or evaluator.grade"),
            "equals": ({}, "The one value of that output that counts 1; all others count 0"),
            "higher_is_better": ({"type": ["boolean", "null"]}, "Which direction is the better one"),
            "low": (number, "The smallest value that there can be"),
            "high": (number, "The largest value that there can be"),
            "failed_lines": (
                either(choice(("worst", "exclude")), NUMBER),
                "What a failed line counts: the worst value, nothing, or this number",
            ),
            "labels": (or_nothing(NAME), "The column of the data with what people said"),
        },
    )


def _variants() -> Schema:
    filters: Schema = {"type": ["array", "null"], "items": {"type": "object", "minProperties": 1}}
    named = with_keys(
        NAMED_KEYS,
        {
            "name": (NAME, "A name to choose the selection by"),
            "select": ({"type": "object", "minProperties": 1}, "The variant of each node"),
        },
        needed=NAMED_KEYS,
    )
    return with_keys(
        VARIANTS_KEYS,
        {
            "mode": (
                or_nothing(choice(get_args(Mode))),
                "one-at-a-time: the defaults, and each variant once; grid: every combination of 'nodes'; "
                "all: every combination of all nodes that have variants",
            ),
            "nodes": (
                {"type": ["object", "null"], "additionalProperties": _VARIANT_IDS},
                "The variants that are combined, by node",
            ),
            "named": ({"type": ["array", "null"], "items": named}, "More selections, each under a name"),
            "only": (filters, "Filters {node: id}: what fits none of them is left out"),
            "except": (filters, "Filters {node: id}: what fits one of them is left out"),
        },
    )


def _range() -> Schema:
    return with_keys(
        RANGE_KEYS,
        {
            "min": (NUMBER, "The first value"),
            "max": (NUMBER, "The last value"),
            "steps": ({"type": "integer", "minimum": 2, "maximum": 100_000}, "How many values there are"),
            "log": ({"type": "boolean"}, "Equal ratios instead of equal distances"),
        },
        needed=("min", "max", "steps"),
    )


def _values() -> tuple[Schema, ...]:
    return {"type": "array", "minItems": 1}, {"type": ["string", "number", "boolean", "null"]}


def _search() -> Schema:
    return with_keys(
        SEARCH_KEYS,
        {
            "method": (choice(get_args(Method)), "grid: everything, in order; random: in an order that 'seed' decides"),
            "seed": ({"type": "integer"}, "The same seed gives the same selections"),
            "max_runs": (or_nothing(_COUNT), "How many runs are made at most, evaluations not counted"),
            "max_cost": (or_nothing(_ABOVE_0), "US dollars that the estimate may come to, evaluations included"),
        },
    )


def _racing() -> Schema:
    return with_keys(
        RACING_KEYS,
        {
            "metric": (or_nothing(NAME), "What decides; the first metric when nothing is said"),
            "alpha": ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, "The error that it may make"),
            "min_lines": (_COUNT, "No version is dropped before so many lines"),
        },
    )


def _baseline() -> Schema:
    one = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return either(NAME, {**one, "properties": {"run": NAME, "variant": NAME}})


def _gate_text() -> Schema:
    return {"type": "string", "pattern": r"^\s*[^<>=!\s][^<>=!]*(>=|<=|>|<)\s*[^<>=!\s]+\s*$"}


def _gate() -> Schema:
    numbers = ("at_least", "at_most", "above", "below")
    conditions: dict[str, tuple[Schema, str]] = {
        str(name): (NUMBER if name in numbers else _baseline(), f"The metric is {sign} this")
        for name, sign in CONDITIONS.items()
    }
    made = with_keys(
        GATE_KEYS,
        {
            "metric": (NAME, "The metric that is judged"),
            **conditions,
            "by": ({"type": "number", "minimum": 0}, "The margin of not_worse_than"),
            "dataset": (or_nothing(NAME), "Only this dataset; each of them otherwise"),
            "slice": (
                {"type": ["object", "null"], "minProperties": 1},
                "Only lines with these values: {column: value}",
            ),
            "variant": (or_nothing(NAME), "The version that is judged; the one that ships otherwise"),
            "confidence": (
                or_nothing({"type": "number", "minimum": 0.5, "exclusiveMaximum": 1}),
                "Ask for the bound of this interval instead of the measured value",
            ),
        },
        needed=("metric",),
    )
    return {**made, "oneOf": [{"required": [name]} for name in CONDITIONS]}


def _limit() -> Schema:
    forms = {
        "rpm": (_ABOVE_0, "Requests a minute"),
        "tpm": (_ABOVE_0, "Tokens a minute"),
    }
    return {**with_keys(LIMIT_WORDS, forms), "minProperties": 1}


def _cache() -> Schema:
    nodes = either(TEXT, NAMES, {"type": "null"})
    return with_keys(
        CACHE_KEYS,
        {
            "mode": (or_nothing(choice(("on", "off", "refresh", True, False))), "refresh asks again, and keeps"),
            "off": (nodes, "Nodes whose model calls are always made"),
            "nodes": (nodes, "Python nodes whose results are kept"),
            "size": (
                or_nothing({"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[kmgtKMGT]?i?[bB]?\s*$"}),
                "How much is kept: 500MB, 2GB",
            ),
        },
    )
