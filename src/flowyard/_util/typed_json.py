"""Frozen dataclasses as plain JSON values and back. NaN is null; the infinities, which JSON has not, are text."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence, Set
from typing import Any

__all__ = ["from_plain", "to_plain"]


def to_plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each form
    """A value as mappings, lists, text and numbers; a set is a sorted list."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, str | int):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_plain(each) for name, each in value.items()}
    if isinstance(value, Set):
        return sorted(map(to_plain, value), key=lambda each: (str(type(each)), each))
    if isinstance(value, Sequence):
        return [to_plain(each) for each in value]
    if hasattr(value, "tolist"):  # numbers and arrays of numpy
        return to_plain(value.tolist())
    return str(value)


def from_plain(kind: Any, value: Any) -> Any:
    """The inverse of ``to_plain`` for a value of the type ``kind``: a dataclass, or what annotations of its fields say.

    Fields that ``value`` lacks get their defaults, and names that ``kind`` does not have are left out, so that files of
    older and newer versions can be read. Raises ValueError for a value that cannot be of that type.
    """
    try:
        return _made(kind, value)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no {getattr(kind, '__name__', kind)} ({type(error).__name__}: {error})") from None


def _made(kind: Any, value: Any) -> Any:  # noqa: PLR0911 - one line for each form
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        known = {item.name for item in dataclasses.fields(kind) if item.init and item.name in value}
        return kind(**{name: _made(hints[name], value[name]) for name in known})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        chosen = [each for each in inner if each is not type(None)]
        return None if value is None and len(chosen) < len(inner) else _made(chosen[0], value)
    if kind is float:
        return math.nan if value is None else float(value)
    if origin is tuple:
        return tuple(_made(inner[0], each) for each in value)
    if origin is frozenset:
        return frozenset(_made(inner[0], each) for each in value)
    if (origin is typing.Literal and value not in inner) or (kind in (str, int, bool) and not isinstance(value, kind)):
        raise TypeError(f"{value!r} is none of {kind}")
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: _made(inner[1], each) for name, each in value.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [_made(inner[0], each) for each in value]
    return value
