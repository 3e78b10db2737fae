"""Evidence from a file of production records: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flowyard.ab.evidence.counting import count_records
from flowyard.ab.evidence.model import Evidence, Split
from flowyard.ab.policy.model import AbPolicy
from flowyard.errors import UserError

__all__ = ["EvidenceFiles"]

_LONGEST_LINE = 16 << 20


@dataclass(frozen=True, slots=True)
class EvidenceFiles:
    """Files of records, read anew each time. A line that is no record is counted and left out."""

    paths: tuple[Path, ...]

    @property
    def label(self) -> str:
        """The names of the files."""
        return ", ".join(map(str, self.paths))

    def read(self, policy: AbPolicy, since: datetime, splits: Sequence[Split]) -> Evidence:
        """Raises UserError when a file cannot be read."""
        return count_records(self.records(), policy, since, splits)

    def records(self) -> Iterator[Mapping[str, Any] | None]:
        """Every record, None for a line that is none. Raises UserError when a file cannot be read."""
        return (each for path in self.paths for each in _records(path))


def _records(path: Path) -> Iterator[Mapping[str, Any] | None]:
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                if line.strip():
                    yield _record(line)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
