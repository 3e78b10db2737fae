"""How the model calls of one run are made: what holds for every worker of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.pacing.limits import RateLimit
from flowyard.llm.recording.rules import RecordingRules

__all__ = ["CallRules"]


@dataclass(frozen=True, slots=True)
class CallRules:
    """Settings of model calls beside their connections. Can be pickled: worker processes get a copy.

    ``limits`` are by connection, ``*`` for those that are not named. What calls are held back by is kept in
    ``pace_file``, which is made when it is missing; processes that name the same file share it, and without one each
    provider counts for itself. ``price_files`` are tables of prices that go over the one that comes with flowyard, the
    first over the second. Without ``cache`` no answer is kept; without ``recording`` none is recorded or replayed.
    """

    limits: Mapping[str, RateLimit] = field(default_factory=dict)
    pace_file: Path | None = None
    price_files: tuple[Path, ...] = ()
    cache: CacheRules | None = None
    recording: RecordingRules | None = None

    def folders(self) -> tuple[Path, ...]:
        """Where the files are that all workers of a run read and write."""
        parts = (self.cache, self.recording)
        files = [self.pace_file, *self.price_files, *(part.file for part in parts if part is not None)]
        return tuple(dict.fromkeys(file.parent for file in files if file is not None))
