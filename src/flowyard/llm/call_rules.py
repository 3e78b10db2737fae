"""How the model calls of one run are made: what holds for every worker of the run."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.recording.rules import RecordingRules

__all__ = ["CallRules"]


@dataclass(frozen=True, slots=True)
class CallRules:
    """Settings of model calls beside their connections. Can be pickled: worker processes get a copy.

    Without ``cache`` no answer is kept; without ``recording`` none is recorded or replayed.
    """

    cache: CacheRules | None = None
    recording: RecordingRules | None = None
