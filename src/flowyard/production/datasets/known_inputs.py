"""Inputs that datasets have already, so that an export brings only what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["KnownInputs", "digest_of_inputs"]

_PREFIX = "inputs."


class KnownInputs:
    """Inputs by their digests. Rows that were exported have them as ``inputs.NAME``; other data by their own names."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._exported: set[bytes] = set()
        self._plain: list[Mapping[str, Any]] = []
        self._by_names: dict[frozenset[str], set[bytes]] = {}
        for row in rows:
            named = {name.removeprefix(_PREFIX): value for name, value in row.items() if name.startswith(_PREFIX)}
            if named:
                self._exported.add(digest_of_inputs(named))
            else:
                self._plain.append(row)

    def __contains__(self, inputs: Mapping[str, Any]) -> bool:
        return digest_of_inputs(inputs) in self._exported or digest_of_inputs(inputs) in self._with(frozenset(inputs))

    def _with(self, names: frozenset[str]) -> set[bytes]:
        """What data without the prefix has in columns of these names."""
        if names not in self._by_names:
            fitting = (row for row in self._plain if names and names <= row.keys())
            self._by_names[names] = {digest_of_inputs({name: row[name] for name in names}) for row in fitting}
        return self._by_names[names]


def digest_of_inputs(inputs: Mapping[str, Any]) -> bytes:
    """A digest that is the same for the same inputs in any order."""
    text = json.dumps(dict(inputs), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
