"""What a line of the evaluated run took: time, money, tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flowyard.errors import LineError
from flowyard.evaluation.builtin.given import number_of
from flowyard.evaluation.means import means

__all__ = ["Cost", "Latency", "Tokens", "percentile"]


class Latency:
    """Milliseconds of a line, with percentiles over the lines."""

    def __call__(self, *, latency_ms: Any) -> dict[str, float]:
        """``latency_ms``. Raises LineError when it is no number."""
        return {"latency_ms": _number("latency_ms", latency_ms)}

    def __aggregate__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        values = sorted(row["latency_ms"] for row in rows)
        shares = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95} if values else {}
        return means(rows) | {name: percentile(values, share) for name, share in shares.items()}


class Cost:
    """US dollars of a line, and of all lines together."""

    def __call__(self, *, cost_usd: Any) -> dict[str, float]:
        """``cost_usd``. Raises LineError when it is not known."""
        return {"cost_usd": _number("cost_usd", cost_usd, "Tell the price of the model: --prices FILE.")}

    def __aggregate__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return means(rows) | {"total_cost_usd": math.fsum(row["cost_usd"] for row in rows)}


class Tokens:
    """The tokens of a line."""

    def __call__(self, *, prompt_tokens: Any, completion_tokens: Any) -> dict[str, float]:
        """``total_tokens``, ``prompt_tokens`` and ``completion_tokens``. Raises LineError when one is no number."""
        prompt = _number("prompt_tokens", prompt_tokens)
        completion = _number("completion_tokens", completion_tokens)
        return {"total_tokens": prompt + completion, "prompt_tokens": prompt, "completion_tokens": completion}


def _number(name: str, value: Any, hint: str | None = None) -> float:
    found = number_of(value)
    if found is None:
        raise LineError(f"{name!r} is not known for this line.", hint=hint)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the ascending ``values`` lies, between two neighbours in proportion."""
    place = (len(values) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
