"""Promote, roll back, go on, invalid, or ask a person: one decision by the policy over what is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flowyard._util.durations import duration_text
from flowyard.ab.decision.guardrails import GuardrailFinding, check_guardrails
from flowyard.ab.decision.primary import Primary, measure_primary
from flowyard.ab.evidence.model import Epoch, Evidence
from flowyard.ab.policy.model import AbPolicy
from flowyard.statistics.sequential import anytime_p_value, multinomial_log_e_value

__all__ = ["Decision", "DecisionState", "decide", "sample_ratio"]

_CROSSED_SHARE, _CROSSED_LEAST = 0.01, 10
"""More units than that in both arms at once are no accident: somebody is not sticky."""


class DecisionState(StrEnum):
    """What to do. All but ``continue`` and ``needs_human`` end the test."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CONTINUE = "continue"
    INVALID = "invalid"
    NEEDS_HUMAN = "needs_human"


@dataclass(frozen=True, slots=True)
class Decision:
    """The state and the rule that fired, with all that it was decided on. ``until`` is the last that was seen.

    ``left_out`` are requests so near to a change of the split that nobody knows their arm's share, ``simulated`` those
    that a simulated model answered or judged.
    """

    state: DecisionState
    rule: str
    reasons: tuple[str, ...]
    since: datetime
    until: datetime | None
    epochs: tuple[Epoch, ...]
    primary: Primary
    sample_ratio_p_value: float
    guardrails: tuple[GuardrailFinding, ...]
    unit: str
    treatment_version: str = ""
    left_out: int = 0
    simulated: int = 0

    @property
    def holds_back(self) -> bool:
        """Whether the treatment must get no more requests."""
        return self.state in (DecisionState.ROLLBACK, DecisionState.INVALID)


_Found = tuple[DecisionState, str, str]


def decide(policy: AbPolicy, evidence: Evidence, *, since: datetime, now: datetime) -> Decision:
    """What the rules say at ``now`` of a test that runs since ``since``. The first rule that fires counts."""
    epochs = evidence.epochs(policy.control, policy.treatment)
    primary = measure_primary(policy, epochs)
    ratio = sample_ratio(epochs)
    guardrails = tuple(check_guardrails(policy, evidence))
    found = [
        *_invalid(policy, evidence, epochs, ratio),
        *_breached(guardrails),
        *_by_primary(policy, primary, since, now),
    ]
    state, rule, _ = found[0]
    reasons = tuple(reason for each, _, reason in found if each is state)
    return Decision(
        state,
        rule,
        reasons,
        since,
        evidence.last_at,
        tuple(epochs),
        primary,
        ratio,
        guardrails,
        policy.unit,
        evidence.treatment_version,
        evidence.left_out,
        evidence.simulated,
    )


def sample_ratio(epochs: Sequence[Epoch]) -> float:
    """The p-value, valid at any time, of "units fall to the arms by the split of their epoch"."""
    return anytime_p_value(
        math.fsum(
            multinomial_log_e_value((each.control.units, each.treatment.units), (1 - each.share, each.share))
            for each in epochs
            if each.is_split
        )
    )


def _invalid(policy: AbPolicy, evidence: Evidence, epochs: Sequence[Epoch], ratio: float) -> Iterator[_Found]:
    units = sum(each.control.units + each.treatment.units for each in epochs)
    if ratio <= policy.srm_alpha:
        treated = sum(each.treatment.units for each in epochs if each.is_split)
        wanted = sum(each.share * (each.control.units + each.treatment.units) for each in epochs if each.is_split)
        yield (
            DecisionState.INVALID,
            "sample_ratio",
            f"The treatment got {treated:,} units where the split gives {wanted:,.0f}: no number of this test can be "
            f"trusted (p {ratio:.1e}).",
        )
    if policy.unit != "request" and evidence.crossed >= max(_CROSSED_LEAST, _CROSSED_SHARE * units):
        yield (
            DecisionState.INVALID,
            "crossed_units",
            f"{evidence.crossed:,} of {units:,} units were in both arms within one epoch: assignment is not sticky.",
        )
    if evidence.unknown_epochs:
        numbers = ", ".join(map(str, evidence.unknown_epochs[:5]))
        yield (
            DecisionState.NEEDS_HUMAN,
            "unknown_split",
            f"Nobody knows the split of epoch {numbers}; what happened in it counts for nothing.",
        )


def _breached(guardrails: Sequence[GuardrailFinding]) -> Iterator[_Found]:
    for each in guardrails:
        if each.breached:
            against = f"{each.value:g}" if each.limit == "most" else f"{each.value:g} times the control's"
            yield (
                DecisionState.ROLLBACK,
                f"guardrail {each.metric} {each.limit}",
                f"{each.metric} is above {against} (treatment {_number(each.treatment)}, control "
                f"{_number(each.control)} over the whole test; p {each.p_value:.1e}).",
            )


def _by_primary(policy: AbPolicy, primary: Primary, since: datetime, now: datetime) -> Iterator[_Found]:
    smaller = min(primary.control_units, primary.treatment_units)
    about = (
        f"{policy.primary.label}: treatment {_number(primary.treatment)} of {primary.treatment_units:,} units, control "
        f"{_number(primary.control)} of {primary.control_units:,}; p {primary.p_value:.2g}."
    )
    if primary.verdict and policy.primary.may_be_missing and primary.answers_p_value <= policy.alpha:
        yield (
            DecisionState.NEEDS_HUMAN,
            "outcomes_differ",
            f"{about} But units have an outcome more often in one arm (p {primary.answers_p_value:.1e}), so that who "
            "answers may be all that differs.",
        )
    elif primary.verdict == "worse":
        yield DecisionState.ROLLBACK, "primary_worse", f"The treatment is worse. {about}"
    elif primary.verdict == "better" and now - since >= policy.min_duration and smaller >= policy.min_sample:
        yield DecisionState.PROMOTE, "primary_better", f"The treatment is better. {about}"
    if now - since >= policy.max_duration:
        yield (
            DecisionState.NEEDS_HUMAN,
            "max_duration",
            f"Not decided within {duration_text(policy.max_duration)}. {about}",
        )
    yield DecisionState.CONTINUE, *_why_not_yet(policy, smaller, since, now, about)


def _why_not_yet(policy: AbPolicy, smaller: int, since: datetime, now: datetime, about: str) -> tuple[str, str]:
    if now - since < policy.min_duration:
        return "min_duration", f"It runs for {duration_text(policy.min_duration)} at least. {about}"
    if smaller < policy.min_sample:
        return "min_sample", f"{policy.min_sample:,} units with an outcome are needed in each arm. {about}"
    return "no_difference_yet", f"No difference is shown yet. {about}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
