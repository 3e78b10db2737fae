"""Work in steps that are written down first, so that it is gone on with after a kill at any instant."""

from flowyard.steps.carry_out import Step, Work, carry_out
from flowyard.steps.journals import Journals
from flowyard.steps.model import Journal, Outcome, StepRecord

__all__ = ["Journal", "Journals", "Outcome", "Step", "StepRecord", "Work", "carry_out"]
