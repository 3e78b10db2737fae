"""``.prompty`` files to a ``PromptyFlow``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.flows.model import PromptyFlow

__all__ = ["load_prompty"]


def load_prompty(path: Path, overrides: Mapping[str, Any] | None = None) -> PromptyFlow:
    """Read a file; ``overrides`` are laid over its front matter. Raises FlowInvalid with file:line."""
    raise UserError(f"{path} is a prompty file, which this version does not run ({len(overrides or {})} overrides).")
