"""The settings of the cache of one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["DEFAULT_CACHE_BYTES", "CacheMode", "CacheRules", "cache_file"]

CacheMode = Literal["on", "off", "refresh"]
"""``refresh`` asks the model again and keeps the new answer in place of the old one."""

DEFAULT_CACHE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CacheRules:
    """Where kept answers are, and whose. Can be pickled.

    ``off`` are nodes whose model calls are always made; ``nodes`` are python nodes whose results are kept too.
    """

    file: Path
    mode: CacheMode = "on"
    most_bytes: int = DEFAULT_CACHE_BYTES
    off: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()


def cache_file(home: Path) -> Path:
    """Where the folder of runs keeps answers."""
    return home / "cache" / "kept.sqlite"
