"""A release: one use case on its way to one environment, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.steps import Journal

__all__ = ["ReleaseRecord"]


@dataclass(frozen=True, slots=True)
class ReleaseRecord(Journal):
    """One release."""
