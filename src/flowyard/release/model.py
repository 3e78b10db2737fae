"""A release: one use case on its way to one environment, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.steps import Journal

__all__ = ["ReleaseRecord"]


@dataclass(frozen=True, slots=True)
class ReleaseRecord(Journal):
    """One release."""

    @property
    def place(self) -> str:
        """Where it goes: ``dev (local)``; the environment alone where nothing is asked for, or deployed."""
        goes_there = any(step.name in ("approval", "deploy") for step in self.steps)
        return f"{self.env} ({self.target})" if goes_there else self.env
