"""Running a prompty: one prompt, one model call for each line."""

from __future__ import annotations

from flowyard.engine.runner import LineRunner, Surroundings
from flowyard.errors import UserError
from flowyard.flows.model import PromptyFlow

__all__ = ["prepare_prompty"]


def prepare_prompty(flow: PromptyFlow, around: Surroundings) -> LineRunner:
    """Parse the template and resolve the model. Raises UserError, ConnectionMissing."""
    raise UserError(f"{flow.file} cannot be run ({around.services}).")
