"""What judged in an evaluation run that a person goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.evaluation.subjects import EvaluatorSubject
    from flowyard.records import RunRecord

__all__ = ["recorded_judge"]


def recorded_judge(run: RunRecord) -> EvaluatorSubject | None:
    """None when a flow judged, or when it is no evaluation. Raises UserError when it cannot be made again."""
    if "evaluator" not in run.properties:
        return None
    from flowyard.evaluation.subjects import recorded_subject  # noqa: PLC0415 - all evaluators, which few runs need

    return recorded_subject(run)
