"""The block ``parameters`` of ``experiment.yaml``: the values that are tried for each parameter of the flow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.numbers import is_finite
from flowyard._util.yamlfile import YamlFile
from flowyard.experiments.space.block import BlockReader, shown

__all__ = ["RANGE_KEYS", "ParameterValues", "canonical", "parse_parameters_block"]

RANGE_KEYS = ("min", "max", "steps", "log")
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """A parameter, by a name that ``flows/parameters.py`` explains, and its values, none twice."""

    name: str
    values: tuple[Any, ...]
    where: str = ""


def parse_parameters_block(value: Any, file: YamlFile, *keys: str | int) -> tuple[ParameterValues, ...]:
    """The block at ``keys``. Raises ExperimentInvalid with every problem; whether the flow has them comes later."""
    reader = BlockReader(file, keys)
    found = tuple(
        ParameterValues(name, unique(_values(spec, reader, name)), reader.where(name))
        for name, spec in reader.mapping(value).items()
    )
    reader.raise_problems()
    return found


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values without those that mean the same as an earlier one."""
    found: dict[str, Any] = {}
    for each in values:
        found.setdefault(canonical(each), each)
    return tuple(found.values())


def canonical(value: Any) -> str:
    """Equal texts for values that mean the same: ``1`` and ``1.0`` do, ``1``, ``"1"`` and ``true`` do not."""
    return json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _values(spec: Any, reader: BlockReader, name: str) -> Iterable[Any]:
    if isinstance(spec, Mapping):
        return _range(spec, reader, name)
    values = spec if isinstance(spec, list) else [spec]
    if not values:
        reader.problem("an empty list has no value to try.", name)
    for index, each in enumerate(values):
        if isinstance(each, float) and not math.isfinite(each):
            reader.problem(f"{each} is no value for a parameter.", name, index)
    return values


def _range(spec: Mapping[str, Any], reader: BlockReader, name: str) -> list[Any]:
    reader.known(spec, RANGE_KEYS, name)
    low, high, steps, is_log = spec.get("min"), spec.get("max"), spec.get("steps"), spec.get("log", False)
    wrong = _wrong_range(low, high, steps, is_log)
    if wrong is not None:
        hint = "Write {min: 0, max: 1, steps: 5}, with 'log: true' for equal ratios; or a list of values."
        reader.problem(wrong, name, hint=hint)
        return []
    count = int(steps or 0)
    return [_point(low, high, index / (count - 1), is_log=bool(is_log)) for index in range(count)]


def _wrong_range(low: Any, high: Any, steps: Any, is_log: Any) -> str | None:
    if not _is_number(low) or not _is_number(high) or low > high:
        return f"from {shown(low)} to {shown(high)} is no range."
    if type(steps) is not int or not 1 < steps <= _MOST_STEPS:
        return f"'steps' is {shown(steps)}, not a whole number from 2 to {_MOST_STEPS:,}."
    if not isinstance(is_log, bool):
        return f"'log' is {shown(is_log)}, not true or false."
    return "a range with equal ratios starts above 0." if is_log and low <= 0 else None


def _point(low: Any, high: Any, part: float, *, is_log: bool) -> Any:
    """A point of a range; its ends are as written, between them whole numbers stay whole between whole ends."""
    if part in (0, 1):
        return high if part else low
    exact = low * (high / low) ** part if is_log else low + (high - low) * part
    rounded = float(f"{exact:.12g}")
    is_whole = isinstance(low, int) and isinstance(high, int) and rounded.is_integer()
    return int(rounded) if is_whole else rounded


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and is_finite(value)
