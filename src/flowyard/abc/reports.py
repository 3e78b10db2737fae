"""Formats of reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowyard.records import Comparison

if TYPE_CHECKING:
    from flowyard.decisions.model import Evidence

__all__ = ["ReportFormat"]


class ReportFormat(ABC):
    """Writes the comparison of some runs in one format."""

    @abstractmethod
    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        """Write into ``folder`` (which exists) and return the files, the most important first.

        ``evidence`` is what is known of the differences; None when nothing was tested.
        """
