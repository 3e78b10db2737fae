"""What is watched for, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from flowyard._util.durations import duration_text
from flowyard.production.drift.model import DriftSettings

__all__ = [
    "METRICS",
    "AlertRule",
    "AlertState",
    "Condition",
    "DriftReference",
    "Measured",
    "MonitoringPolicy",
    "Severity",
    "StateName",
]

Severity = Literal["info", "warning", "critical"]
Comparison = Literal[">", "<", "rises", "drops", "drifts"]
StateName = Literal["ok", "pending", "firing", "resolved"]

METRICS: Mapping[str, str] = {
    "requests": "requests",
    "error_rate": "the share of requests that failed",
    "latency_s.p50": "the median latency in seconds",
    "latency_s.p95": "the 95th percentile of latencies in seconds",
    "latency_s.p99": "the 99th percentile of latencies in seconds",
    "tokens": "tokens of prompts and completions",
    "cost_usd": "US dollars",
    "cost_usd_per_request": "US dollars for each request",
    "feedback.positive": "the share of positive feedback among all that says yes or no",
    "feedback.score": "the mean score of feedback",
}
"""What a rule can be about besides ``drift`` and ``judge.EVALUATOR.SCORE``, and what it is."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``METRIC > 0.05 over 10m for 5m``: a metric of the last ``window``, which has held for ``lasting``.

    ``rises`` and ``drops`` are changes against the time ``against`` before the window. ``drift`` and its features,
    ``drift.inputs.question``, have the comparison ``drifts``, and no limit.
    """

    metric: str
    comparison: Comparison
    limit: float = 0.0
    window: timedelta = timedelta(minutes=10)
    lasting: timedelta = timedelta(0)
    against: timedelta | None = None

    @property
    def text(self) -> str:
        """As the file has it."""
        words = [self.metric] if self.comparison == "drifts" else [self.metric, self.comparison, f"{self.limit:g}"]
        words += ["over", duration_text(self.window)]
        if self.lasting:
            words += ["for", duration_text(self.lasting)]
        return " ".join([*words, *(["against", duration_text(self.against)] if self.against else [])])


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When people are told. With ``by`` ``version`` each version has its own state, with ``flow`` all are one.

    A rate or a mean of fewer than ``min_requests`` says nothing. After people were told, they are told of it again
    ``cooldown`` later at the earliest.
    """

    name: str
    when: Condition
    severity: Severity = "warning"
    by: Literal["version", "flow"] = "version"
    min_requests: int = 20
    cooldown: timedelta = timedelta(hours=1)
    notify: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DriftReference:
    """What is normal: ``registry:NAME:VERSION``, ``run:NAME``, or a time before the window; None: as long as it."""

    source: str | None = None
    before: timedelta | None = None


@dataclass(frozen=True, slots=True)
class MonitoringPolicy:
    """``monitoring.yaml``. ``records`` are the folders that ``watch`` collects."""

    flow: str
    rules: tuple[AlertRule, ...]
    notify: tuple[str, ...] = ()
    records: tuple[Path, ...] = ()
    drift: DriftSettings = DriftSettings()
    reference: DriftReference = DriftReference()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule saw of a group. ``holds`` is None when there is too little to say; ``text`` says the number."""

    group: str
    holds: bool | None
    value: float | None
    text: str
    requests: int = 0


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where a rule stands for a group. ``episode`` counts how often it began to fire; ``told`` whether of this one."""

    rule: str
    group: str
    state: StateName
    since: datetime
    episode: int = 0
    told: bool = False
    last_told: datetime | None = None
    value: float | None = None
    text: str = ""
