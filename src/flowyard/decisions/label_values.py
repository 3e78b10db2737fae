"""What people said of lines, as the numbers that a judge gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import UserError

__all__ = ["label_numbers"]


_TRUTH = {"true": 1.0, "false": 0.0}


def label_numbers(
    values: Mapping[int, Any],
    *,
    equals: str | None = None,
    numbers: Mapping[Any, float] | None = None,
    column: str = "",
) -> dict[int, float]:
    """People's labels as numbers, by line number; what is empty is no label.

    With ``equals`` a label counts 1 when it is this text and else 0. ``numbers`` are those of a judge's labels. Raises
    UserError for a label that is no number.
    """
    given = {line: value for line, value in values.items() if not _is_empty(value)}
    if equals is not None:
        return {line: float(str(value).strip() == equals) for line, value in given.items()}
    return {line: _number(value, numbers or {}, f"line {line} of {column!r}") for line, value in given.items()}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value  # noqa: PLR0124 - NaN


def _number(value: Any, numbers: Mapping[Any, float], where: str) -> float:
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text in numbers:
        return numbers[text]
    value = _TRUTH.get(str(text).lower(), text)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        known = [str(label) for label in numbers if isinstance(label, str)]
        hint = f"The judge's labels: {known_names(known)}." if known else "Labels of people are numbers, as grades are."
        raise UserError(f"The label {str(value)[:40]!r} is no grade.", hint=hint, where=where)
    return number
