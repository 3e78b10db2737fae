"""What a person wants decided, and by which rules: the blocks ``metrics``, ``baseline``, ``slices`` and ``gates``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["CONDITIONS", "Baseline", "Condition", "DecisionPolicy", "FailedLinesRule", "Gate", "MetricRule", "Racing"]

Condition = Literal["at_least", "at_most", "above", "below", "not_worse_than", "better_than"]
CONDITIONS: Mapping[Condition, str] = {
    "at_least": ">=",
    "at_most": "<=",
    "above": ">",
    "below": "<",
    "not_worse_than": "not worse than",
    "better_than": "better than",
}
"""What a gate can ask, with the words or the sign that stand for it."""

FailedLinesRule = Literal["worst", "exclude"] | float
"""What a failed line counts: the worst value there is, nothing (it is left out), or this number."""


@dataclass(frozen=True, slots=True)
class MetricRule:
    """What the block ``metrics`` says of one metric; None where it says nothing.

    ``column`` is the output of an evaluator that has the metric's value for each line, ``equals`` the one value of it
    that counts 1 while all others count 0. ``low`` and ``high`` are the metric's bounds, ``labels`` the column of the
    data with what people said.
    """

    name: str
    column: str | None = None
    equals: str | None = None
    higher_is_better: bool | None = None
    low: float | None = None
    high: float | None = None
    failed_lines: FailedLinesRule = "worst"
    labels: str | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What versions are compared with: the version that has this label, or the run of this name in the store."""

    label: str | None = None
    run: str | None = None

    def __str__(self) -> str:
        return self.label or f"run {self.run}"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that a version has to meet. ``text`` is how people write it.

    ``number`` is the threshold, or for ``not_worse_than`` the margin. ``against`` is what it is compared with, None for
    the baseline of the experiment. Without ``dataset`` each dataset is judged, without ``version`` the one that would
    ship. ``confidence`` asks for the interval's bound where otherwise the measured value is compared.
    """

    text: str
    metric: str
    condition: Condition
    number: float = 0.0
    against: Baseline | None = None
    dataset: str | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    confidence: float | None = None
    where: str = ""

    @property
    def is_relative(self) -> bool:
        """Whether it compares two versions."""
        return self.condition in ("not_worse_than", "better_than")


@dataclass(frozen=True, slots=True)
class Racing:
    """Dropping versions that cannot win: by which metric (None: the first), with which error, and how soon."""

    metric: str | None = None
    alpha: float = 0.05
    min_lines: int = 30


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """All of it. ``inconclusive`` is what an inconclusive gate does to the exit code.

    ``ships`` names the version that would be deployed, None for the flow as its files have it. ``cluster`` is a column
    of the data: lines with the same value in it belong together and are resampled together. ``alpha`` is the error that
    all tests of the gates together may have, ``seed`` makes resampling repeatable.
    """

    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    baseline: Baseline | None = None
    slices: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    inconclusive: Literal["fail", "pass"] = "fail"
    cluster: str | None = None
    ships: str | None = None
    alpha: float = 0.05
    seed: int = 0
