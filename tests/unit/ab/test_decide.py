"""The rules, one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy
import pytest
from ab_helper import DAY, START, arm, evidence, policy

from flowyard.ab.decision.decide import Decision, DecisionState, decide
from flowyard.ab.evidence.model import ArmCounts, Evidence, Split, TimeSlice, latency_bucket, latency_limit
from flowyard.ab.policy.model import AbPolicy, Guardrail, PrimaryMetric

FEEDBACK = PrimaryMetric("feedback", "feedback.rating", success=("up",))
NUMBER = PrimaryMetric("field", "judge.score")


def decided(rules: AbPolicy, known: Evidence, days: float = 2) -> Decision:
    return decide(rules, known, since=START, now=START + days * DAY)


def numbers(values: numpy.ndarray, covariates: numpy.ndarray | None = None) -> ArmCounts:
    sums: dict[str, Any] = {"values": len(values), "total": values.sum(), "squares": (values**2).sum()}
    if covariates is not None:
        sums |= {
            "paired": len(values),
            "paired_total": values.sum(),
            "paired_squares": (values**2).sum(),
            "covariate_total": covariates.sum(),
            "covariate_squares": (covariates**2).sum(),
            "products": (values * covariates).sum(),
        }
    return ArmCounts(requests=len(values), units=len(values), **sums)


def test_nothing_is_decided_on_nothing():
    found = decided(policy(), Evidence())
    assert (found.state, found.rule) == (DecisionState.CONTINUE, "min_sample")
    assert found.primary.p_value == 1
    assert found.sample_ratio_p_value == 1


def test_better_is_promoted_and_worse_rolled_back():
    good, bad = arm(900, 100), arm(700, 300)
    better = decided(policy(), evidence((0.5, bad, good)))
    assert (better.state, better.rule) == (DecisionState.PROMOTE, "primary_better")
    assert better.primary.difference == pytest.approx(0.2)
    assert better.primary.interval is not None
    assert better.primary.interval.low > 0
    worse = decided(policy(), evidence((0.5, good, bad)))
    assert (worse.state, worse.rule) == (DecisionState.ROLLBACK, "primary_worse")


def test_a_promotion_waits_for_time_and_sample_and_a_rollback_does_not():
    rules = policy(min_duration=timedelta(days=7), min_sample=5_000)
    good, bad = arm(900, 100), arm(700, 300)
    assert decided(rules, evidence((0.5, bad, good))).rule == "min_duration"
    assert decided(rules, evidence((0.5, bad, good)), days=8).rule == "min_sample"
    assert decided(rules, evidence((0.5, good, bad))).state is DecisionState.ROLLBACK


def test_a_wrong_sample_ratio_is_invalid_whatever_else_is_seen():
    found = decided(policy(), evidence((0.5, arm(700, 300), arm(1300, 100))))
    assert (found.state, found.rule) == (DecisionState.INVALID, "sample_ratio")
    assert found.holds_back
    assert "1,400 units where the split gives 1,200" in found.reasons[0]


def test_units_in_both_arms_are_invalid_unless_each_request_is_a_unit():
    known = evidence((0.5, arm(900, 100), arm(900, 100)), crossed=30)
    assert decided(policy(), known).rule == "crossed_units"
    assert decided(policy(unit="request"), known).state is DecisionState.CONTINUE


def test_an_unknown_split_and_the_end_of_time_need_a_person():
    same = arm(900, 100)
    assert decided(policy(), evidence((0.5, same, same), unknown_epochs=(7,))).rule == "unknown_split"
    late = decided(policy(), evidence((0.5, same, same)), days=30)
    assert (late.state, late.rule) == (DecisionState.NEEDS_HUMAN, "max_duration")


def test_who_answers_may_be_all_that_differs():
    """The treatment asks for feedback twice as often; those who give it are as happy."""
    asked = arm(158, 42, units=2000, requests=2000), arm(320, 80, units=2000, requests=2000)
    found = decided(policy(primary=FEEDBACK), evidence((0.5, *asked)))
    assert (found.state, found.rule) == (DecisionState.NEEDS_HUMAN, "outcomes_differ")


def test_epochs_without_two_arms_count_for_nothing():
    promoted = decided(policy(), evidence((0.5, arm(90, 10), arm(90, 10)), (1.0, arm(0, 0), arm(5000, 0))))
    assert promoted.state is DecisionState.CONTINUE
    assert promoted.primary.treatment_units == 100


def test_a_number_is_decided_by_means_after_the_burn_in():
    random = numpy.random.default_rng(5)
    few = evidence((0.5, numbers(random.normal(0, 1, 40)), numbers(random.normal(3, 1, 40))))
    assert decided(policy(primary=NUMBER), few).primary.interval is None
    known = evidence((0.5, numbers(random.normal(0, 1, 800)), numbers(random.normal(1, 1, 800))))
    assert decided(policy(primary=NUMBER), known).state is DecisionState.PROMOTE
    lower = PrimaryMetric("field", "judge.score", direction="lower")
    assert decided(policy(primary=lower), known).state is DecisionState.ROLLBACK


def test_a_covariate_shows_what_is_hidden_in_the_spread():
    random = numpy.random.default_rng(6)
    known = [random.normal(0, 1, 600) for _ in range(2)]
    seen = [3 * each + random.normal(0, 0.5, 600) + effect for each, effect in zip(known, (0, 0.25), strict=True)]
    both = evidence((0.5, numbers(seen[0], known[0]), numbers(seen[1], known[1])))
    plain = decided(policy(primary=NUMBER), both)
    adjusted = decided(policy(primary=NUMBER, covariate="judge.before"), both)
    assert plain.state is DecisionState.CONTINUE
    assert adjusted.state is DecisionState.PROMOTE
    assert adjusted.primary.variance_factor == pytest.approx(0.25 / 9.25, abs=0.02)
    assert adjusted.primary.difference == pytest.approx(0.25, abs=0.08)


def by_slices(*pairs: tuple[ArmCounts, ArmCounts], share: float = 0.5) -> Evidence:
    slices = tuple(TimeSlice(1, START + place * DAY, *pair) for place, pair in enumerate(pairs))
    return Evidence(slices, (Split(1, START, {"a": 1 - share, "b": share}),), last_at=START)


def latencies(count: int, seconds: float, **given: Any) -> ArmCounts:
    slow = {latency_bucket(seconds * 2): count // 20, latency_bucket(seconds): count - count // 20}
    return ArmCounts(requests=count, units=count, looks=count, latency=slow, **given)


@pytest.mark.parametrize(
    ("guardrail", "control", "treatment"),
    [
        (Guardrail("error_rate", most=0.05), ArmCounts(looks=200), ArmCounts(looks=200, errors=40)),
        (
            Guardrail("error_rate", most_times_control=1.5),
            ArmCounts(looks=500, errors=20),
            ArmCounts(looks=500, errors=80),
        ),
        (
            Guardrail("safety_fail_rate", most=0.02, field="exchange.outputs.safe"),
            ArmCounts(safety_judged=100),
            ArmCounts(safety_judged=100, unsafe=15),
        ),
        (Guardrail("latency_p95_ms", most=1500), latencies(200, 1.0), latencies(200, 2.0)),
        (Guardrail("latency_p95_ms", most_times_control=1.3), latencies(200, 1.0), latencies(200, 4.0)),
        (
            Guardrail("cost_usd_per_request", most_times_control=1.2),
            ArmCounts(priced=400, cost_usd=4.0, cost_squares=0.05),
            ArmCounts(priced=400, cost_usd=8.0, cost_squares=0.2),
        ),
        (
            Guardrail("cost_usd_per_request", most=0.011),
            ArmCounts(priced=400, cost_usd=4.0, cost_squares=0.05),
            ArmCounts(priced=400, cost_usd=8.0, cost_squares=0.2),
        ),
    ],
    ids=lambda each: f"{each.metric} {each.limits[0]}" if isinstance(each, Guardrail) else "",
)
def test_each_guardrail_rolls_back_and_leaves_equal_arms_alone(
    guardrail: Guardrail, control: ArmCounts, treatment: ArmCounts
):
    rules = policy(guardrails=(guardrail,))
    calm = [(control, control)] * 5
    assert decided(rules, by_slices(*calm)).state is DecisionState.CONTINUE
    found = decided(rules, by_slices(*calm, (control, treatment), (control, treatment)))
    assert found.state is DecisionState.ROLLBACK
    assert found.rule == f"guardrail {guardrail.metric} {guardrail.limits[0]}"


def test_the_level_is_split_among_all_limits():
    rules = policy(guardrails=(Guardrail("error_rate", 0.05, 1.5), Guardrail("latency_p95_ms", 2000)))
    assert [each.alpha for each in decided(rules, Evidence()).guardrails] == [pytest.approx(0.01 / 3)] * 3


def test_buckets_hold_their_limit():
    for seconds in (0.001, 0.05, 1.0, 1.05, 30.0):
        bucket = latency_bucket(seconds)
        assert latency_limit(bucket - 1) < seconds * (1 + 1e-9)
        assert seconds <= latency_limit(bucket) * (1 + 1e-9)
