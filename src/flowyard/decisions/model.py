"""What is known of the versions compared. A version is a variant of an experiment, or a run that a person chose.

A metric is measured for each line where that is possible, so that versions are compared line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Difference",
    "Estimate",
    "Evidence",
    "GateResult",
    "Interval",
    "Metric",
    "MetricKind",
    "Scores",
    "Verdict",
    "Winner",
]

MetricKind = Literal["binary", "score", "total"]
"""``binary``: 0 or 1 for each line; ``score``: a number for each line; ``total``: one number for the whole run."""

Verdict = Literal["pass", "fail", "inconclusive"]
Winner = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is measured. ``name`` is unique in an experiment: ``accuracy``, or ``evaluator.accuracy`` when two
    evaluators give it. ``low`` and ``high`` are its bounds where they are known. ``meaning`` says in a sentence how the
    number of a line and of a run come about, also what a failed line counts.
    """

    name: str
    kind: MetricKind
    higher_is_better: bool
    evaluator: str | None = None
    low: float | None = None
    high: float | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """A metric line by line: ``values[version][i]`` belongs to ``lines[i]``, a line number of ``dataset``.

    NaN is a line without a value that does not count; a failed line has the value that the metric's rule gives it, and
    is in ``failed[version]``.
    """

    metric: Metric
    dataset: str
    lines: Sequence[int]
    values: Mapping[str, Sequence[float]]
    failed: Mapping[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value is, with probability ``confidence``; ``method`` is its name in the literature."""

    low: float
    high: float
    confidence: float
    method: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of one version on one dataset, or on the slice ``{column: value}`` of it, over ``lines`` lines.

    ``failed_lines`` of these are failed ones, counted by the metric's rule.
    """

    metric: Metric
    version: str
    dataset: str
    value: float
    lines: int
    failed_lines: int = 0
    interval: Interval | None = None
    slice: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_only_failed(self) -> bool:
        """Whether nothing of it was scored: the value is only what failed lines count, and is never the best."""
        return self.metric.evaluator is not None and 0 < self.lines <= self.failed_lines


@dataclass(frozen=True, slots=True)
class Difference:
    """``version`` minus ``baseline``, line by line. ``p_adjusted`` is after the correction for all that was tested.

    ``won``, ``lost`` and ``tied`` count lines. ``detectable`` is the smallest difference that so many lines show with
    80 % power; ``lines_needed`` is how many lines would show the difference that was seen. ``winner`` is from the
    version's point of view and follows ``p_adjusted``.
    """

    metric: Metric
    version: str
    baseline: str
    dataset: str
    value: float
    interval: Interval | None
    p_value: float | None
    p_adjusted: float | None
    method: str
    lines: int
    won: int
    lost: int
    tied: int
    winner: Winner
    detectable: float | None = None
    lines_needed: int | None = None
    slice: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate said. ``gate`` is its text as people write it; ``reason`` is a sentence with the numbers."""

    gate: str
    verdict: Verdict
    reason: str
    metric: str
    version: str | None = None
    dataset: str | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    threshold: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    lines_needed: int | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. ``baseline`` is the version that the others are compared with. ``verdict`` is None without gates.

    ``columns`` are the columns of the data whose values make slices. ``pareto`` has, for each dataset, the versions
    that no other beats in quality, cost and latency at once. ``agreements`` are sentences on judges and people.
    ``inconclusive`` is what a gate that cannot be decided counts as.
    """

    metrics: tuple[Metric, ...]
    scores: tuple[Scores, ...]
    estimates: tuple[Estimate, ...]
    differences: tuple[Difference, ...]
    slices: tuple[Estimate, ...] = ()
    gates: tuple[GateResult, ...] = ()
    verdict: Verdict | None = None
    baseline: str | None = None
    columns: tuple[str, ...] = ()
    pareto: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    agreements: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inconclusive: Literal["fail", "pass"] = "fail"
