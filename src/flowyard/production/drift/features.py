"""The features of a line or an exchange: what can be compared of inputs, outputs and what was said of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.numbers import LARGEST, is_finite
from flowyard.production.drift.model import Value
from flowyard.production.drift.script import script_of

__all__ = ["field_features"]

_MOST_FIELDS = 40
_LONGEST_CATEGORY = 80
_LEAST_VECTOR = 8


def field_features(kind: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Features of ``inputs`` or ``outputs``: of the first 40 fields by name.

    Of each whether it ``.is_none``; of a text ``.length`` in characters, ``.script`` and, when it is short, itself as a
    category; numbers and truth values are themselves; lists of eight numbers or more are vectors; of anything else the
    ``.length`` of its JSON.
    """
    for name in sorted(map(str, fields))[:_MOST_FIELDS]:
        yield from _features(f"{kind}.{name}", fields.get(name))


def _features(name: str, value: Any) -> Iterator[tuple[str, Value]]:
    yield f"{name}.is_none", str(value is None).lower()
    if value is None:
        return
    if isinstance(value, bool):
        yield name, str(value).lower()
    elif isinstance(value, int | float):
        if is_finite(value) and abs(value) <= LARGEST:
            yield name, float(value)
    elif isinstance(value, str):
        yield f"{name}.length", float(len(value))
        yield f"{name}.script", script_of(value)
        if len(value) <= _LONGEST_CATEGORY:
            yield name, value
    elif vector := _vector(value):
        yield name, vector
    else:
        yield f"{name}.length", float(len(dump_json(value)))


def _vector(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) < _LEAST_VECTOR:
        return ()
    if not all(is_finite(each) and not isinstance(each, bool) and abs(each) <= LARGEST for each in value):
        return ()
    return tuple(map(float, value))
