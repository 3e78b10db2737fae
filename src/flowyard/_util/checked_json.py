"""JSON files that say when they are not what was written: a checksum stands in them beside the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowyard._util.files import dump_json

__all__ = ["CHECKSUM", "checked_text", "take_checksum"]

CHECKSUM = "checksum"
"""The key of the checksum."""


def checked_text(body: Mapping[str, Any]) -> str:
    """The text of a file with that body and its checksum, as people can read it."""
    plain = json.loads(dump_json(dict(body)))
    return dump_json({**plain, CHECKSUM: _checksum(plain)}, indent=2) + "\n"


def take_checksum(data: dict[str, Any]) -> bool | None:
    """Take the checksum out of what a file says: whether it fits; None when there is none."""
    if CHECKSUM not in data:
        return None
    given = data.pop(CHECKSUM)
    return bool(given == _checksum(data))


def _checksum(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
