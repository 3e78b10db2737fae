"""Randomness that depends on what is asked, never on when: every draw is a hash of its reasons."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from flowyard._util.files import dump_json

__all__ = ["content_key", "draw", "draw_latency_s", "draw_unit_vector"]

_TRANSPORT = frozenset({"stream", "stream_options", "user", "timeout", "encoding_format"})
_P95 = NormalDist().inv_cdf(0.95)


def draw(*reasons: object) -> float:
    """A float in [0, 1) that is the same for the same reasons."""
    return (_digest(reasons) >> 11) / 2**53


def draw_latency_s(median_ms: float, p95_ms: float, *reasons: object) -> float:
    """Seconds from the log-normal distribution with this median and 95th percentile; constant when they are equal."""
    if median_ms <= 0:
        return 0.0
    sigma = math.log(p95_ms / median_ms) / _P95
    position = min(max(draw(*reasons), 1e-9), 1 - 1e-9)
    return median_ms / 1000 * math.exp(sigma * NormalDist().inv_cdf(position))


def draw_unit_vector(dimensions: int, *reasons: object) -> list[float]:
    """A vector of length 1; fewer dimensions give the normalised start of the longer vector."""
    source = random.Random(_digest(reasons))
    values = [source.gauss(0.0, 1.0) for _ in range(dimensions)]
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


def content_key(operation: str, body: Mapping[str, Any]) -> str:
    """Names what is asked: equal for requests that differ only in how the answer is transported."""
    asked = {name: body[name] for name in sorted(body) if name not in _TRANSPORT and body[name] is not None}
    return _hashed([operation, asked], 16).hex()


def _digest(reasons: tuple[object, ...]) -> int:
    return int.from_bytes(_hashed(reasons, 8), "big")


def _hashed(value: object, size: int) -> bytes:
    # JSON bodies may hold lone surrogates, which plain UTF-8 refuses.
    return hashlib.blake2b(dump_json(value).encode("utf-8", "surrogatepass"), digest_size=size).digest()
