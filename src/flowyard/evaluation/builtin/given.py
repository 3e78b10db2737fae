"""What built-in evaluators do with the values they are given: texts of them, and what is missing."""

from __future__ import annotations

import json
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import LineError

__all__ = ["json_of", "number_of", "require_expected", "text_of"]


def require_expected(value: Any, name: str = "ground_truth") -> Any:
    """The expected value. Raises LineError when there is none: a line that nobody labelled is not a wrong answer."""
    if value is None:
        raise LineError(f"There is no expected value: {name!r} is null.", hint="Label the line, or leave it out.")
    return value


def text_of(value: Any) -> str:
    """A value as text: text as it is, everything else as JSON (``5``, ``true``); nothing for null."""
    if isinstance(value, str):
        return value
    return "" if value is None else dump_json(value)


def number_of(value: Any) -> float | None:
    """A number, also one that is written as text; None for everything else, true and false among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def json_of(value: Any) -> Any:
    """The JSON value in a text; what is no text is one already. Raises ValueError when a text is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
