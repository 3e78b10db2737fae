"""Values to the type that a flow input or a tool parameter declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["CoercionError", "coerce"]


class CoercionError(ValueError):
    """The value cannot be read as the declared type."""


def coerce(value: Any, type_name: str) -> Any:
    """``value`` as ``type_name`` (one of ``flows.model.INPUT_TYPES``) by prompt flow's rules.

    ``string`` takes ``str`` of anything (None becomes "None"), ``int`` truncates, ``object`` keeps text that is not
    JSON. Types without a rule leave the value as it is. Raises CoercionError.
    """
    rule = _RULES.get(type_name)
    if rule is None:
        return value
    try:
        return rule(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise CoercionError(f"{_shown(value)} is not a valid {type_name}: {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("only true and false are booleans")


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, list):
        raise ValueError(f"{type(value).__name__} is not a list")
    return value


def _object(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


_RULES: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "double": float,
    "bool": _bool,
    "string": str,
    "list": _list,
    "object": _object,
}
