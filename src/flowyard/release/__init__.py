"""From an experiment to what may be deployed: data, experiment, gates, registration, approval."""

from flowyard.release.carry_out import Step, Work, carry_out
from flowyard.release.log import ReleaseLog
from flowyard.release.model import Outcome, ReleaseRecord, StepRecord

__all__ = ["Outcome", "ReleaseLog", "ReleaseRecord", "Step", "StepRecord", "Work", "carry_out"]
