"""Judging what flows give: evaluation flows over runs, and evaluators over data.

An evaluation is a run whose mapping reads another run. Evaluators that come with flowyard are in ``builtin``.
"""

from flowyard.evaluation.evaluate import evaluate
from flowyard.evaluation.over_data import DataEvaluation, evaluate_data
from flowyard.evaluation.table import EvaluationTable

__all__ = ["DataEvaluation", "EvaluationTable", "evaluate", "evaluate_data"]
