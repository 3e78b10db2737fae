"""Where releases are written down: ``<home>/releases/<use case>/<key>/release.json``, replaced whole at every step.

A checksum in it says when it is not what was written.
"""

from __future__ import annotations

from pathlib import Path

from flowyard.release.model import ReleaseRecord
from flowyard.steps import Journals

__all__ = ["ReleaseLog"]


class ReleaseLog(Journals[ReleaseRecord]):
    """The releases of one home; one process at a time carries out those of a use case to an environment."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "releases", ReleaseRecord, "release", "flowyard release list")
