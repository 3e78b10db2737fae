"""The flow that an evaluator of an experiment is."""

from __future__ import annotations

from flowyard.errors import UserError
from flowyard.experiments.model import Evaluator
from flowyard.flows.load import load_flow
from flowyard.flows.model import Flow

__all__ = ["load_evaluator"]


def load_evaluator(evaluator: Evaluator) -> Flow:
    """The flow that judges. Raises UserError, FlowInvalid."""
    if evaluator.flow is None:
        raise UserError(f"Evaluator {evaluator.name!r} is no evaluation flow.", where=evaluator.where)
    return load_flow(evaluator.flow)
