"""The rules of a test of two versions in production, as ``ab.yaml`` says them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

__all__ = ["AbPolicy", "Guardrail", "GuardrailMetric", "PrimaryMetric", "RampStep", "SplitPlace"]

Unit = Literal["user", "session", "request"]
GuardrailMetric = Literal["error_rate", "latency_p95_ms", "cost_usd_per_request", "safety_fail_rate", "judge_fail_rate"]


@dataclass(frozen=True, slots=True)
class PrimaryMetric:
    """What decides. ``no_error``, ``feedback`` and ``judge`` are yes or no; ``field`` is a number.

    ``field`` is a path in the records of a request: the kind of record, then its keys, as ``feedback.rating``. It was a
    success when the value is one of ``success``, or a number of ``at_least``. ``expected`` is the share of successes
    (or the mean) and ``smallest`` the difference worth finding, ``spread`` the standard deviation of numbers: only for
    how long the test will take. ``feedback`` without a field is what monitoring takes for positive or negative.
    ``bounds`` are the lowest and highest value that a number can have.
    """

    metric: Literal["no_error", "feedback", "judge", "field"]
    field: str | None = None
    success: tuple[Any, ...] = ()
    at_least: float | None = None
    direction: Literal["higher", "lower"] = "higher"
    expected: float | None = None
    smallest: float | None = None
    spread: float | None = None
    bounds: tuple[float, float] | None = None

    @property
    def is_binary(self) -> bool:
        return self.metric != "field"

    @property
    def may_be_missing(self) -> bool:
        """Whether some requests have no outcome, such as those that nobody judged."""
        return self.metric != "no_error"

    def scaled(self, value: float) -> float:
        """The value from 0 at the lower bound to 1 at the upper; beyond them 0 and 1."""
        low, high = self.bounds or (0.0, 1.0)
        return min(1.0, max(0.0, (value - low) / (high - low)))

    @property
    def label(self) -> str:
        return self.metric if self.field is None else f"{self.metric} {self.field.removeprefix('judgement.')}"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What must not get worse: ``most`` is absolute, ``most_times_control`` relative to the control's.

    ``at_least`` is the score of a judge that is enough.
    """

    metric: GuardrailMetric
    most: float | None = None
    most_times_control: float | None = None
    field: str | None = None
    at_least: float | None = None

    @property
    def limits(self) -> Sequence[Literal["most", "most_times_control"]]:
        """Which of both are set; each is a test of its own."""
        found: list[Literal["most", "most_times_control"]] = []
        if self.most is not None:
            found.append("most")
        if self.most_times_control is not None:
            found.append("most_times_control")
        return found


@dataclass(frozen=True, slots=True)
class RampStep:
    """A percent of the requests for the treatment; it stays so long, and until the treatment got so many, at least."""

    share: int
    min_duration: timedelta = timedelta(hours=1)
    min_sample: int = 100


@dataclass(frozen=True, slots=True)
class SplitPlace:
    """Where the split is set: the control address of a gateway with its key, a file that something else follows, or an
    environment of ``deployment.yaml``, whose platform splits.

    ``target`` names the environment's target where it has several. Requests within ``margin`` of a change are left out.
    """

    gateway: str | None = None
    key: str | None = None
    file: str | None = None
    deployment: str | None = None
    target: str | None = None
    margin: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AbPolicy:
    """One test. ``control`` and ``treatment`` are arms (backends) or versions, as exposures name them.

    ``min_sample`` counts units of each arm that have an outcome. ``where`` is ``file:line`` of the file.
    """

    name: str
    control: str
    treatment: str
    primary: PrimaryMetric
    experiment: str
    unit: Unit = "user"
    guardrails: tuple[Guardrail, ...] = ()
    alpha: float = 0.05
    guardrail_alpha: float = 0.01
    srm_alpha: float = 0.001
    min_duration: timedelta = timedelta(days=1)
    max_duration: timedelta = timedelta(days=28)
    min_sample: int = 100
    decide: Literal["auto", "approval"] = "approval"
    ramp: tuple[RampStep, ...] = (RampStep(1), RampStep(5), RampStep(25), RampStep(50))
    covariate: str | None = None
    interval: timedelta = timedelta(minutes=5)
    split: SplitPlace | None = None

    @property
    def guardrail_tests(self) -> int:
        """Among how many tests ``guardrail_alpha`` is split."""
        return sum(len(each.limits) for each in self.guardrails)

    @property
    def safety_field(self) -> str | None:
        return next((each.field for each in self.guardrails if each.metric == "safety_fail_rate"), None)

    @property
    def judged(self) -> Guardrail | None:
        """The guardrail on the scores of a judge."""
        return next((each for each in self.guardrails if each.metric == "judge_fail_rate"), None)
