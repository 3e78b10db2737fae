"""Judging runs: an evaluation is a run of an evaluation flow whose mapping reads another run."""

from flowyard.evaluation.evaluate import evaluate

__all__ = ["evaluate"]
