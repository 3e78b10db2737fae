"""``cache:`` as ``run.yaml`` and ``experiment.yaml`` write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.llm.cache.rules import CacheMode

__all__ = ["CACHE_KEYS", "CacheBlock", "parse_bytes", "parse_cache_block", "parse_names"]

CACHE_KEYS = ("mode", "off", "nodes", "size")
_MODES: Mapping[object, CacheMode] = {
    "on": "on",
    "off": "off",
    "refresh": "refresh",
    True: "on",
    False: "off",
    "true": "on",
    "false": "off",
}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True, slots=True)
class CacheBlock:
    """What a file says about the cache; None and empty where it says nothing.

    ``off`` are nodes whose model calls are always made, ``nodes`` python nodes whose results are kept.
    """

    mode: CacheMode | None = None
    off: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    most_bytes: int | None = None


def parse_cache_block(value: Any, where: str | None = None) -> CacheBlock:
    """The block: ``on``, ``off``, ``refresh``, or a mapping of mode, off, nodes and size. Raises UserError."""
    if value is None:
        return CacheBlock()
    if not isinstance(value, Mapping):
        return CacheBlock(_mode(value, where))
    for key in value:
        if key not in CACHE_KEYS:
            hint = did_you_mean(str(key), CACHE_KEYS) or f"It takes {', '.join(CACHE_KEYS)}."
            raise UserError(f"'cache' has no {key!r}.", hint=hint, where=where)
    return CacheBlock(
        mode=_mode(value["mode"], where) if value.get("mode") is not None else None,
        off=parse_names(value.get("off"), where),
        nodes=parse_names(value.get("nodes"), where),
        most_bytes=parse_bytes(value["size"], where) if value.get("size") is not None else None,
    )


def parse_names(value: Any, where: str | None = None) -> frozenset[str]:
    """Names of nodes, as a list or as one text with commas. Raises UserError."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | None) or not all(isinstance(name, str) for name in value or ()):
        raise UserError("The nodes in 'cache' are not a list of names.", hint="Write [node, other].", where=where)
    return frozenset(name.strip() for name in value or () if name.strip())


def parse_bytes(value: Any, where: str | None = None) -> int:
    """A size such as ``500 MB`` or ``2GB`` (powers of 1000) as bytes. Raises UserError."""
    match = _SIZE.match(str(value)) if not isinstance(value, bool) else None
    size = int(float(match[1]) * 1000 ** _POWERS[match[2].lower()]) if match else 0
    if size < 100_000:
        raise UserError(
            f"{value!r} is not a size for the cache.", hint="Write 500MB or 2GB; at least 100kB.", where=where
        )
    return size


def _mode(value: Any, where: str | None) -> CacheMode:
    key = value.lower() if isinstance(value, str) else value
    if not isinstance(key, str | bool) or key not in _MODES:
        raise UserError(f"The cache cannot be {value!r}.", hint="Write on, off or refresh.", where=where)
    return _MODES[key]
