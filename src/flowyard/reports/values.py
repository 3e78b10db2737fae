"""How numbers and values are written for people: the same in every format."""

from __future__ import annotations

import json
import math
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.numbers import is_finite

__all__ = [
    "count_or_number",
    "is_ranked",
    "metric_text",
    "ms_text",
    "one_line",
    "p_text",
    "plural",
    "same_value",
    "seconds_text",
    "signed_text",
    "value_text",
]

_COUNTS = ("failed_lines", "tokens")
"""Metrics of every run that count something."""
_SHORT = 60
"""JSON up to this many characters stays on one line."""


def is_ranked(value: Any) -> bool:
    """Whether a metric can be compared: a finite number, and not a truth value."""
    return not isinstance(value, bool) and is_finite(value)


def count_or_number(metric: str, value: float) -> float:
    """The value of a metric that counts, such as ``failed_lines``, as a whole number; of others as it is."""
    return round(value) if metric in _COUNTS and math.isfinite(value) else value


def metric_text(value: Any) -> str:
    """A metric in a table: ``0.917``, ``1,204``, ``NaN``; other values as compact text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else one_line(value_text(value), most=40)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.2e}" if 0 < abs(value) < 0.0005 else f"{value:,.3f}"


def signed_text(value: float) -> str:
    """A difference: ``+0.031``, ``−0.004`` with a minus sign, ``0.000``."""
    text = metric_text(abs(value))
    return f"+{text}" if value > 0 else f"\N{MINUS SIGN}{text}" if value < 0 else text


def p_text(p_value: float) -> str:
    """``p = 0.031``, ``p < 0.001``."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def ms_text(ms: float | None) -> str:
    """Milliseconds with a unit that fits: ``0.4 ms``, ``812 ms``, ``1.92 s``."""
    if ms is None:
        return "–"
    if ms == 0:
        return "0 ms"
    if ms < 10:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 999.5 else seconds_text(ms / 1000)


def seconds_text(seconds: float) -> str:
    """Seconds with a unit that fits: ``1.92 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def value_text(value: Any) -> str:
    """Text as it is, everything else as JSON; what UTF-8 cannot hold is written as an escape."""
    if isinstance(value, str):
        text = value
    else:
        text = dump_json(value)
        text = text if len(text) <= _SHORT else dump_json(value, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str, *, most: int) -> str:
    """Text on one line, shortened at its end to ``most`` characters, without control characters."""
    flat = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def plural(count: int, noun: str) -> str:
    """``1 line``, ``2,000 lines``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def same_value(left: Any, right: Any) -> bool:
    """Equality as a reader sees it: by JSON text, so that NaN equals NaN and the order of keys does not matter."""
    return left is right or _canonical(left) == _canonical(right)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
