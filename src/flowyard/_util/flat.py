"""Settings and outputs by name, those of mappings too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["flat_items"]


def flat_items(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The items; those of a mapping as ``name.key``, one level deep."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", each) for key, each in value.items())
        else:
            yield name, value
