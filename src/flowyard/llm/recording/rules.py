"""The settings of the recording of one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["RecordingRules"]


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """Whether calls are written to ``file`` or answered from it. Can be pickled.

    ``lock`` is the file by which processes that write take turns.
    """

    file: Path
    mode: Literal["record", "replay"]
    lock: Path
