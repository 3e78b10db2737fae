"""Options of the target ``local``."""

from __future__ import annotations

from flowyard.deploy.options.model import TargetOptions

__all__ = ["LocalOptions"]


class LocalOptions(TargetOptions):
    """There are none."""
