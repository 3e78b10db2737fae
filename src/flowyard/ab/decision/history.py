"""How a test came to where it is: what was known after each span of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flowyard.ab.decision.guardrails import seen_value
from flowyard.ab.decision.primary import Primary, measure_primary
from flowyard.ab.evidence.model import ArmCounts, Evidence, TimeSlice
from flowyard.ab.policy.model import AbPolicy, Guardrail

__all__ = ["GuardrailPoint", "Known", "guardrail_points", "known_over_time"]

_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Known:
    """The primary metric by all that was known at a time, and the treatment's share of the new units since the last."""

    at: datetime
    primary: Primary
    share: float | None


@dataclass(frozen=True, slots=True)
class GuardrailPoint:
    """What a guardrail measures in the span of time that ended then; None where nothing was measured."""

    at: datetime
    control: float | None
    treatment: float | None


def known_over_time(policy: AbPolicy, evidence: Evidence) -> Sequence[Known]:
    """At most 60 points, evenly over the spans in which something was seen."""
    found, before = [], 0
    for end in _ends(evidence.slices):
        part = replace(evidence, slices=evidence.slices[:end])
        control, treatment = _sums(evidence.slices[before:end])
        units = control.units + treatment.units
        primary = measure_primary(policy, part.epochs(policy.control, policy.treatment))
        at = evidence.slices[end - 1].at + policy.interval
        found.append(Known(_not_after(at, evidence), primary, treatment.units / units if units else None))
        before = end
    return found


def guardrail_points(policy: AbPolicy, evidence: Evidence, guardrail: Guardrail) -> Sequence[GuardrailPoint]:
    """Each span by itself, so that a sudden change is seen."""
    found, before = [], 0
    for end in _ends(evidence.slices):
        control, treatment = _sums(evidence.slices[before:end])
        at = _not_after(evidence.slices[end - 1].at + policy.interval, evidence)
        found.append(GuardrailPoint(at, seen_value(guardrail.metric, control), seen_value(guardrail.metric, treatment)))
        before = end
    return found


def _ends(slices: Sequence[TimeSlice]) -> list[int]:
    """How many slices each point takes in."""
    each = max(1, -(-len(slices) // _MOST_POINTS))
    return sorted({*range(each, len(slices) + 1, each), len(slices)} - {0})


def _not_after(at: datetime, evidence: Evidence) -> datetime:
    return min(at, evidence.last_at) if evidence.last_at else at


def _sums(slices: Sequence[TimeSlice]) -> tuple[ArmCounts, ArmCounts]:
    control, treatment = ArmCounts(), ArmCounts()
    for each in slices:
        control, treatment = control + each.control, treatment + each.treatment
    return control, treatment
