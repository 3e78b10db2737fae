"""What is written down of a version or a name, one tag for each note, so that many can write at once.

How long a tag's value may be differs from server to server. A longer note is an artifact, and its tag, which is written
last, says so.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import StoreError
from flowyard.registry.stores.mlflow_artifacts import Artifacts
from flowyard.registry.stores.mlflow_rest import Sent

__all__ = ["Note", "new_note", "read_json", "read_notes", "write_json"]

_MOST_TAG = 4000
_MOST_NOTE = 64 << 20
_KEY = re.compile(r"(\d{20})\.[0-9a-f]{8}")
_ARTIFACT = "artifact"
_DIGEST = "of"


@dataclass(frozen=True, slots=True)
class Note:
    """A tag to be set."""

    key: str
    value: str


def new_note(
    prefix: str, tags: Mapping[str, str], value: Mapping[str, Any], digest: str, artifacts: Callable[[], Artifacts]
) -> Note:
    """A note that comes after all in ``tags``; what is long is stored beside the version with that digest."""
    latest = max((int(match[1]) for key in tags if (match := _match(prefix, key))), default=0)
    key = f"{max(time.time_ns(), latest + 1):020d}.{uuid.uuid4().hex[:8]}"
    text = dump_json(value)
    if len(text.encode()) > _MOST_TAG:
        name = f"flowyard/{prefix}{key}.json"
        write_json(artifacts(), name, value)
        text = dump_json({_ARTIFACT: name, _DIGEST: digest})
    return Note(f"{prefix}{key}", text)


def read_notes(prefix: str, tags: Mapping[str, str], artifacts: Callable[[str], Artifacts]) -> list[dict[str, Any]]:
    """The notes among tags, oldest first. ``artifacts`` gives those of the version with a digest. Raises StoreError."""
    notes = []
    for key in sorted(key for key in tags if _match(prefix, key)):
        value = _parse(tags[key], key)
        if set(value) == {_ARTIFACT, _DIGEST}:
            value = read_json(artifacts(str(value[_DIGEST])), str(value[_ARTIFACT]))
        notes.append(value)
    return notes


def write_json(artifacts: Artifacts, name: str, value: Any) -> None:
    """Store a value as an artifact."""
    data = dump_json(value).encode()
    artifacts.put(name, Sent(lambda: io.BytesIO(data), len(data), "application/json"))


def read_json(artifacts: Artifacts, name: str, most: int = _MOST_NOTE) -> dict[str, Any]:
    """An artifact that is a JSON object. Raises StoreError when it is missing or is none."""
    with tempfile.TemporaryDirectory(prefix="flowyard-") as folder:
        target = Path(folder) / "note.json"
        artifacts.get(name, target, most)
        return _parse(target.read_bytes(), name)


def _match(prefix: str, key: str) -> re.Match[str] | None:
    return _KEY.fullmatch(key, len(prefix)) if key.startswith(prefix) else None


def _parse(text: str | bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise StoreError(f"{where!r} in MLflow was changed: it is no note of flowyard.", hint="Restore it.")
    return value
