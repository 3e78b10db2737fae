"""The names of ``promptflow.evals.evaluate``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.evaluation import evaluate

__all__ = ["evaluate"]
__getattr__ = uncovered_names("promptflow.evals.evaluate")
