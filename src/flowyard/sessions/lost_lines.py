"""Results of lines that did not end by themselves."""

from __future__ import annotations

from flowyard.records import ErrorRecord, LineResult, LineTask

__all__ = ["crashed", "timed_out"]


def timed_out(task: LineTask, limit_s: float) -> LineResult:
    """The result of a line that took too long."""
    error = ErrorRecord("LineTimeout", f"The line took longer than {limit_s:g} s and was given up.")
    return LineResult(task.line_number, "failed", task.inputs, {}, error, duration_s=limit_s)


def crashed(task: LineTask, how: str) -> LineResult:
    """The result of a line whose process ended under it; ``how`` says so for a person."""
    error = ErrorRecord("WorkerCrashed", f"The process that ran this line ended: {how}.")
    return LineResult(task.line_number, "failed", task.inputs, {}, error)
