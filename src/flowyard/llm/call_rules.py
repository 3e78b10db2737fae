"""How the model calls of one run are made: what holds for every worker of the run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CallRules"]


@dataclass(frozen=True, slots=True)
class CallRules:
    """Settings of model calls beside their connections. Can be pickled: worker processes get a copy."""
