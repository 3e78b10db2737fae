"""What ``import flowyard`` gives: flows as functions, runs, evaluations and experiments, for scripts and notebooks."""

from flowyard.api.evaluation import Evaluation, evaluate
from flowyard.api.experiment import Experiment, Plan
from flowyard.api.flow import Flow, load_flow
from flowyard.api.frames import Frame
from flowyard.api.results import ExperimentResult
from flowyard.api.running import RunningOptions
from flowyard.api.runs import Run, load_run, run

__all__ = [
    "Evaluation",
    "Experiment",
    "ExperimentResult",
    "Flow",
    "Frame",
    "Plan",
    "Run",
    "RunningOptions",
    "evaluate",
    "load_flow",
    "load_run",
    "run",
]
