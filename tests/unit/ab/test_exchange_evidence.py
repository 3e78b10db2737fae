"""Evidence where a platform splits: what callers say joins only what they could know the name of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from ab_helper import START, policy

from flowyard.ab.evidence.exchanges import ExchangeEvidence
from flowyard.ab.evidence.model import Split
from flowyard.ab.policy.model import PrimaryMetric

_SPLITS = [Split(1, START, {"a": 50.0, "b": 50.0}, START + timedelta(seconds=1))]


def _exchange(number: int, version: str) -> Mapping[str, Any]:
    at = START + timedelta(minutes=5, seconds=number)
    own = {"flow": "f", "version": version, "request_id": f"id {number}", "trace_id": f"t{number}"}
    return {"kind": "exchange", "at": at.isoformat(), **own, "status": 200, "latency_s": 0.1}


def _liked(request_id: str) -> Mapping[str, Any]:
    at = START + timedelta(minutes=6)
    return {"kind": "feedback", "at": at.isoformat(), "request_id": request_id, "trace_id": "", "feedback": True}


@pytest.mark.parametrize(("named", "liked"), [("id {}", 10), ("exchange {}", 0), ("no exchange {}", 0)])
def test_feedback_joins_by_the_request_s_own_id_only(named: str, liked: int):
    records = [_exchange(number, "ab"[number % 2]) for number in range(10)]
    records += [_liked(named.format(number)) for number in range(10)]
    source = ExchangeEvidence(lambda _: records, "", "f", timedelta(seconds=1))
    found = source.read(policy(primary=PrimaryMetric("feedback")), START, _SPLITS)
    control, treatment = found.total()
    assert (control.requests, treatment.requests) == (5, 5)
    assert control.successes + treatment.successes == liked
