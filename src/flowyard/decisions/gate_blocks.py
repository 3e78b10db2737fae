"""``gates:`` as ``experiment.yaml`` writes it: short strings, and mappings for what a string cannot say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.decisions.policy import CONDITIONS, Baseline, Condition, Gate
from flowyard.errors import UserError

__all__ = ["GATE_KEYS", "parse_baseline_block", "parse_gate_text", "parse_gates_block", "read_number", "slice_text"]

_SIGNS: Mapping[str, Condition] = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below"}
_SHORT = re.compile(r"(?P<metric>[^<>=!]+?)\s*(?P<sign>[<>=!]{1,3})\s*(?P<number>\S+)")
GATE_KEYS = ("metric", *CONDITIONS, "by", "dataset", "slice", "variant", "confidence")
_FORM = 'Write "accuracy >= 0.9", or {metric: accuracy, not_worse_than: baseline, by: 0.01}.'
_BASELINE = "baseline"


def parse_gates_block(value: Any, file: YamlFile, *keys: str | int) -> tuple[Gate, ...]:
    """The gates of the block at ``keys``. Raises UserError with file:line."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise UserError("'gates' is not a list.", hint=_FORM, where=file.where(*keys))
    return tuple(_gate(item, file, *keys, place) for place, item in enumerate(value))


def parse_gate_text(text: str, where: str = "") -> Gate:
    """The short form ``metric >= number``, also with ``<=``, ``>`` and ``<``. Raises UserError."""
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{text!r} is not a gate.", hint=_FORM, where=where or None)
    condition = _SIGNS.get(match["sign"])
    if condition is None:
        raise UserError(
            f"{text!r}: a gate does not know {match['sign']!r}.", hint="It knows >=, <=, > and <.", where=where or None
        )
    number = read_number(match["number"], f"{text!r}: the number", where)
    return Gate(f"{match['metric']} {match['sign']} {number:g}", match["metric"], condition, number, where=where)


def parse_baseline_block(value: Any, file: YamlFile, *keys: str | int) -> Baseline | None:
    """``LABEL``, ``{variant: LABEL}`` or ``{run: NAME}``. Raises UserError with file:line."""
    return None if value is None else _baseline(value, "baseline", file.where(*keys))


def read_number(value: Any, what: str, where: str = "") -> float:
    """A finite number, also as text. Raises UserError."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{what} is not a number: {value!r}.", hint=_FORM, where=where or None)
    return number


def _gate(item: Any, file: YamlFile, *keys: str | int) -> Gate:
    where = file.where(*keys)
    if isinstance(item, str):
        return parse_gate_text(item, where)
    if not isinstance(item, Mapping):
        raise UserError(f"{item!r} is not a gate.", hint=_FORM, where=where)
    for key in item:
        if key not in GATE_KEYS:
            hint = did_you_mean(str(key), GATE_KEYS) or f"A gate takes {known_names(GATE_KEYS, most=20)}."
            raise UserError(f"A gate has no {key!r}.", hint=hint, where=file.where(*keys, str(key)))
    metric = item.get("metric")
    if not isinstance(metric, str) or not metric.strip():
        raise UserError("A gate needs 'metric'.", hint=_FORM, where=where)
    condition = _condition(item, where)
    gate = Gate(
        text="",
        metric=metric.strip(),
        condition=condition,
        number=_number(item, condition, where),
        against=_against(item, condition, where),
        dataset=_text(item, "dataset", where),
        slice=_slice(item.get("slice"), where),
        version=_text(item, "variant", where),
        confidence=_confidence(item.get("confidence"), where),
        where=where,
    )
    return Gate(**{name: getattr(gate, name) for name in Gate.__dataclass_fields__} | {"text": _written(gate)})


def _condition(item: Mapping[str, Any], where: str) -> Condition:
    found = [condition for condition in CONDITIONS if item.get(condition) is not None]
    if len(found) != 1:
        said = f"has {' and '.join(map(repr, found))}" if found else "has no condition"
        raise UserError(
            f"The gate on {item['metric']!r} {said}; it takes exactly one.",
            hint=f"One of {known_names(CONDITIONS)}.",
            where=where,
        )
    if "by" in item and found[0] != "not_worse_than":
        raise UserError("'by' is the margin of 'not_worse_than'.", hint=_FORM, where=where)
    return found[0]


def _number(item: Mapping[str, Any], condition: Condition, where: str) -> float:
    if condition == "better_than":
        return 0.0
    if condition != "not_worse_than":
        return read_number(item[condition], repr(condition), where)
    margin = read_number(item.get("by", 0), "'by'", where)
    if margin < 0:
        raise UserError(f"'by' is a margin, and {margin:g} is below 0.", hint="by: 0.01", where=where)
    return margin


def _against(item: Mapping[str, Any], condition: Condition, where: str) -> Baseline | None:
    if condition not in ("not_worse_than", "better_than"):
        return None
    value = item[condition]
    return None if value == _BASELINE else _baseline(value, condition, where)


def _baseline(value: Any, what: str, where: str) -> Baseline:
    if isinstance(value, str) and value.strip():
        return Baseline(label=value.strip())
    if isinstance(value, Mapping) and len(value) == 1:
        key, name = next(iter(value.items()))
        if key in ("run", "variant") and isinstance(name, str) and name.strip():
            return Baseline(run=name.strip()) if key == "run" else Baseline(label=name.strip())
        if key not in ("run", "variant"):
            hint = did_you_mean(str(key), ("run", "variant")) or "Write {run: NAME} or {variant: LABEL}."
            raise UserError(f"{what!r} has no {key!r}.", hint=hint, where=where)
    raise UserError(f"{value!r} cannot be {what!r}.", hint="Write LABEL, {variant: LABEL} or {run: NAME}.", where=where)


def _text(item: Mapping[str, Any], key: str, where: str) -> str | None:
    value = item.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UserError(f"{key!r} of a gate is a name, not {value!r}.", where=where)
    return value.strip() if value else None


def _slice(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value:
        raise UserError("'slice' of a gate is {column: value}.", hint="slice: {difficulty: hard}", where=where)
    return {str(column): slice_text(each) for column, each in value.items()}


def slice_text(value: Any) -> str:
    """A value of the data as the name of its slice: text as it is, ``true`` and ``false`` as JSON has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else str(value)


def _confidence(value: Any, where: str) -> float | None:
    if value is None:
        return None
    confidence = read_number(value, "'confidence'", where)
    if not 0.5 <= confidence < 1:
        raise UserError(f"'confidence' is from 0.5 to below 1, not {confidence:g}.", hint="0.95", where=where)
    return confidence


def _written(gate: Gate) -> str:
    words = [gate.metric, CONDITIONS[gate.condition]]
    if gate.is_relative:
        words.append(str(gate.against or _BASELINE))
        words += [f"by {gate.number:g}"] if gate.number else []
    else:
        words.append(f"{gate.number:g}")
    words += [f"on {gate.dataset}"] if gate.dataset else []
    words += [f"where {column}={value}" for column, value in gate.slice.items()]
    words += [f"for {gate.version}"] if gate.version else []
    words += [f"with {gate.confidence:.4g} confidence"] if gate.confidence else []
    return " ".join(words)
