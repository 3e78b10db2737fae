"""``experiment.yaml``: every dataset with every variant, each run judged by the evaluators of its dataset."""

from flowyard.experiments.execute import execute_experiment
from flowyard.experiments.load import load_experiment
from flowyard.experiments.model import Experiment
from flowyard.experiments.plan import ExperimentPlan, plan_experiment

__all__ = ["Experiment", "ExperimentPlan", "execute_experiment", "load_experiment", "plan_experiment"]
