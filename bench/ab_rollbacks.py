"""Tests of two equal versions through the whole decision, with every kind of guardrail: how many are rolled back."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy

from flowyard.ab.decision.decide import DecisionState, decide
from flowyard.ab.evidence.model import ArmCounts, Evidence, Split, TimeSlice
from flowyard.ab.policy.model import AbPolicy, Guardrail, PrimaryMetric

__all__ = ["equal_arms_rolled_back"]

_START, _INTERVAL = datetime(2026, 3, 1, tzinfo=UTC), timedelta(minutes=5)
_POLICY = AbPolicy(
    name="equal",
    control="a",
    treatment="b",
    primary=PrimaryMetric("feedback", "feedback.rating", success=("up",)),  # nobody says anything
    experiment="equal",
    guardrails=(
        Guardrail("error_rate", most=0.02, most_times_control=1.0),
        Guardrail("latency_p95_ms", most_times_control=1.0),
        Guardrail("cost_usd_per_request", most_times_control=1.0),
        Guardrail("safety_fail_rate", most=0.02, field="judge.safe"),
    ),
)
"""The relative limits are where equal arms are, the absolute ones where these arms are: the worst case of each."""


def equal_arms_rolled_back(experiments: int, seed: int, *, looks: int = 20, each: int = 200) -> float:
    """The share of experiments that any of the looks, one after each interval, rolls back.

    Errors and unsafe answers are 2 %, latencies and costs lognormal; ``each`` requests are in an interval, of which the
    treatment gets 20 %.
    """
    random = numpy.random.default_rng(seed)
    return sum(_is_rolled_back(random, looks, each) for _ in range(experiments)) / experiments


def _is_rolled_back(random: numpy.random.Generator, looks: int, each: int) -> bool:
    slices: list[TimeSlice] = []
    for number in range(looks):
        treated = int(random.binomial(each, 0.2))
        at = _START + number * _INTERVAL
        slices.append(TimeSlice(1, at, _arm(random, each - treated), _arm(random, treated)))
        splits = (Split(1, _START, {"a": 80.0, "b": 20.0}),)
        known = Evidence(tuple(slices), splits, first_at=_START, last_at=at + _INTERVAL)
        found = decide(_POLICY, known, since=_START, now=at + _INTERVAL)
        if found.state is DecisionState.ROLLBACK:
            return True
    return False


def _arm(random: numpy.random.Generator, count: int) -> ArmCounts:
    latencies, costs = random.lognormal(0.0, 0.5, count), random.lognormal(-5.0, 0.5, count)
    buckets = numpy.ceil(numpy.log(latencies) / math.log(1.05) - 1e-9).astype(int)
    sums: dict[str, Any] = {"cost_usd": float(costs.sum()), "cost_squares": float((costs * costs).sum())}
    return ArmCounts(
        requests=count,
        units=count,
        looks=count,
        errors=int(random.binomial(count, 0.02)),
        latency=Counter(buckets.tolist()),
        priced=count,
        safety_judged=count,
        unsafe=int(random.binomial(count, 0.02)),
        **sums,
    )
