"""Has anything become worse than it may? One-sided tests that are valid at any time and notice a late change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flowyard.ab.decision.burn_in import values_needed
from flowyard.ab.decision.primary import Sums, stratified
from flowyard.ab.evidence.model import ArmCounts, Evidence, latency_bucket, latency_limit
from flowyard.ab.policy.model import AbPolicy, Guardrail, GuardrailMetric
from flowyard.statistics.one_sided import ShareSlice, above_limit_log_e_value
from flowyard.statistics.sequential import anytime_p_value, normal_mixture

__all__ = ["GuardrailFinding", "check_guardrails", "seen_value"]

_SLOW_SHARE = 0.05
"""Of the requests may be slower than a 95th percentile."""
_ENOUGH_LATENCIES = 100
"""Of the control before its percentile is a measure for the treatment."""
_MOST_SHARE = 0.999
"""Of the treatment among the judged, so that there is a limit as long as nothing of the control was."""
_GROWTH = math.log(latency_limit(1))

Limit = Literal["most", "most_times_control"]


@dataclass(frozen=True, slots=True)
class GuardrailFinding:
    """One limit of one guardrail. ``alpha`` is its part of the level; ``breached`` once ``p_value`` is at most that."""

    metric: GuardrailMetric
    limit: Limit
    value: float
    control: float | None
    treatment: float | None
    p_value: float
    alpha: float
    breached: bool


def check_guardrails(policy: AbPolicy, evidence: Evidence) -> Sequence[GuardrailFinding]:
    """Every limit of every guardrail; ``policy.guardrail_alpha`` is split among all of them (Bonferroni)."""
    if not policy.guardrails:
        return ()
    alpha = policy.guardrail_alpha / policy.guardrail_tests
    shares = {each.number: each.share for each in evidence.epochs(policy.control, policy.treatment)}
    control, treatment = evidence.total()
    found = []
    for guardrail in policy.guardrails:
        for limit in guardrail.limits:
            value = float(getattr(guardrail, limit))
            p_value = _p_value(guardrail, limit, value, evidence, shares, alpha)
            seen = seen_value(guardrail.metric, control), seen_value(guardrail.metric, treatment)
            found.append(GuardrailFinding(guardrail.metric, limit, value, *seen, p_value, alpha, p_value <= alpha))
    return found


def _p_value(
    guardrail: Guardrail, limit: Limit, value: float, evidence: Evidence, shares: Mapping[int, float], alpha: float
) -> float:
    if guardrail.metric == "cost_usd_per_request":
        return _cost_p_value(evidence, shares, limit, value, alpha)
    if guardrail.metric == "latency_p95_ms":
        slices = _slow(evidence, value) if limit == "most" else _slower(evidence, shares, value)
    elif limit == "most":
        slices = _absolute(guardrail.metric, evidence, value)
    else:
        slices = _relative(guardrail.metric, evidence, shares, value)
    return anytime_p_value(above_limit_log_e_value(slices))


def _bad(metric: GuardrailMetric, arm: ArmCounts) -> tuple[int, int]:
    """How many looks were bad, of how many."""
    if metric == "judge_fail_rate":
        return arm.judged_low, arm.judged
    return (arm.errors, arm.looks) if metric == "error_rate" else (arm.unsafe, arm.safety_judged)


def _absolute(metric: GuardrailMetric, evidence: Evidence, most: float) -> Iterator[ShareSlice]:
    for each in evidence.slices:
        bad, looks = _bad(metric, each.treatment)
        yield ShareSlice(bad, looks - bad, most)


def _relative(
    metric: GuardrailMetric, evidence: Evidence, shares: Mapping[int, float], times: float
) -> Iterator[ShareSlice]:
    """Bad looks by arm: while the rate is at most ``times`` the control's, at most so many are the treatment's.

    Each look at a request is the treatment's with the split's share. What a judge saw is another part where one arm
    fails more often, because failures are not judged: then the share among the judged counts, so far in the epoch.
    """
    judged: dict[int, tuple[int, int]] = {}
    for each in evidence.slices:
        share = shares.get(each.epoch, 0.0)
        if not 0 < share < 1:
            continue
        (bad, looks), (bad_control, looks_control) = _bad(metric, each.treatment), _bad(metric, each.control)
        if metric != "error_rate":
            before = judged.get(each.epoch, (0, 0))
            mine, others = judged[each.epoch] = before[0] + looks, before[1] + looks_control
            share = min(max(share, mine / max(1, mine + others)), _MOST_SHARE)
        most = share * times / (share * times + 1 - share)
        yield ShareSlice(bad, bad_control, most)


def _slow(evidence: Evidence, most_ms: float) -> Iterator[ShareSlice]:
    bucket = latency_bucket(most_ms / 1000)
    for each in evidence.slices:
        slow = each.treatment.slower_than(bucket)
        yield ShareSlice(slow, sum(each.treatment.latency.values()) - slow, _SLOW_SHARE)


def _slower(evidence: Evidence, shares: Mapping[int, float], times: float) -> Iterator[ShareSlice]:
    """Looks above the control's 95th percentile of all slices before, for the treatment above ``times`` that."""
    before = ArmCounts()
    further = math.ceil(math.log(times) / _GROWTH - 1e-9)
    for each in evidence.slices:
        bucket = before.latency_percentile(95)
        share = shares.get(each.epoch, 0.0)
        if bucket is not None and sum(before.latency.values()) >= _ENOUGH_LATENCIES and 0 < share < 1:
            yield ShareSlice(each.treatment.slower_than(bucket + further), each.control.slower_than(bucket), share)
        before += ArmCounts(latency=each.control.latency)


def _cost_p_value(evidence: Evidence, shares: Mapping[int, float], limit: Limit, value: float, alpha: float) -> float:
    """Of the mean cost by a confidence sequence; two-sided and therefore on the safe side."""
    pairs, all_ = [], ArmCounts()
    for number, share in shares.items():
        control, treatment = ArmCounts(), ArmCounts()
        for each in (each for each in evidence.slices if each.epoch == number):
            control, treatment = control + each.control, treatment + each.treatment
        all_ += control + treatment
        second = Sums(treatment.priced, treatment.cost_usd, treatment.cost_squares)
        if limit == "most_times_control" and 0 < share < 1:
            first = Sums(control.priced, control.cost_usd * value, control.cost_squares * value * value)
            pairs.append((first, second))
        elif limit == "most":  # a constant has no spread, and counts as often as there are costs
            n = max(second.n, 1) * 1_000_000
            pairs.append((Sums(n, n * value, n * value * value), second))
    least = values_needed(all_.priced, all_.cost_usd, all_.cost_squares, all_.cost_cubes)
    measured = [pair for pair in pairs if min(pair[0].n, pair[1].n) >= least]
    found = stratified(measured)
    if found is None or found.estimate <= 0:
        return 1.0
    n = sum(pair[1].n + (pair[0].n if limit == "most_times_control" else 0) for pair in measured)
    return normal_mixture(found.estimate, found.standard_error, n, alpha).p_value


def seen_value(metric: GuardrailMetric, arm: ArmCounts) -> float | None:
    """What the guardrail measures of an arm, in its own unit; None without looks."""
    if metric == "latency_p95_ms":
        bucket = arm.latency_percentile(95)
        return None if bucket is None else latency_limit(bucket) * 1000
    if metric == "cost_usd_per_request":
        return arm.cost_usd / arm.priced if arm.priced else None
    bad, looks = _bad(metric, arm)
    return bad / looks if looks else None
