"""What is known of two arms: counts by span of time and epoch, wherever they were counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol

from flowyard.ab.policy.model import AbPolicy

__all__ = [
    "ArmCounts",
    "Epoch",
    "Evidence",
    "EvidenceSource",
    "Split",
    "TimeSlice",
    "latency_bucket",
    "latency_limit",
]

_GROWTH = math.log(1.05)


def latency_bucket(seconds: float) -> int:
    """The bucket of a latency: bucket n ends at 1.05 ** n seconds, and holds that. At least a millisecond."""
    return math.ceil(math.log(max(seconds, 1e-3)) / _GROWTH - 1e-9)


def latency_limit(bucket: int) -> float:
    """The largest latency in a bucket, in seconds."""
    return math.exp(bucket * _GROWTH)


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """Sums of one arm. All can be added, so that no request has to be kept.

    ``requests`` are all, ``units`` those that were seen for the first time. An outcome is that of the primary metric,
    one for each unit: ``values`` of them, with ``total``, ``squares`` and ``cubes``; for yes and no (1 and 0) also
    ``successes`` and ``failures``. ``paired`` to ``products`` are sums over the outcomes whose unit has a covariate,
    ``scores`` counts of bounded outcomes by percents of what is between the bounds. The rest is what
    guardrails look at, one request for each unit and slice (``looks``): ``latency`` counts by :func:`latency_bucket`.
    """

    requests: int = 0
    units: int = 0
    successes: int = 0
    failures: int = 0
    values: int = 0
    total: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    paired: int = 0
    paired_total: float = 0.0
    paired_squares: float = 0.0
    covariate_total: float = 0.0
    covariate_squares: float = 0.0
    products: float = 0.0
    scores: Mapping[int, int] = field(default_factory=dict)
    looks: int = 0
    errors: int = 0
    latency: Mapping[int, int] = field(default_factory=dict)
    priced: int = 0
    cost_usd: float = 0.0
    cost_squares: float = 0.0
    cost_cubes: float = 0.0
    safety_judged: int = 0
    unsafe: int = 0
    judged: int = 0
    judged_low: int = 0

    def __add__(self, other: ArmCounts) -> ArmCounts:
        sums: dict[str, Any] = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(self)
            if each.name not in ("latency", "scores")
        }
        return ArmCounts(**sums, latency=_added(self.latency, other.latency), scores=_added(self.scores, other.scores))

    def slower_than(self, bucket: int) -> int:
        """How many looks took longer than all of that bucket."""
        return sum(count for key, count in self.latency.items() if key > bucket)

    def latency_percentile(self, percent: float) -> int | None:
        """The bucket that holds the percentile; None without looks."""
        left = sum(self.latency.values()) * percent / 100
        for key in sorted(self.latency):
            left -= self.latency[key]
            if left <= 0:
                return key
        return None


@dataclass(frozen=True, slots=True)
class Split:
    """A split from a moment on: the epoch it began, and each arm's share of the requests (or its weight).

    Where a platform splits, nobody knows the moment: it is between ``at`` and ``settled_at``, or not known at all when
    there is no ``settled_at``. Who splits by himself knows, and does not say it.
    """

    epoch: int
    at: datetime
    weights: Mapping[str, float]
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """A span of the policy's ``interval`` within an epoch."""

    epoch: int
    at: datetime
    control: ArmCounts = ArmCounts()
    treatment: ArmCounts = ArmCounts()


@dataclass(frozen=True, slots=True)
class Epoch:
    """All of the time with one split; ``share`` is the treatment's of the requests of both arms, 0 to 1."""

    number: int
    at: datetime
    share: float
    control: ArmCounts = ArmCounts()
    treatment: ArmCounts = ArmCounts()

    @property
    def is_split(self) -> bool:
        """Whether both arms got requests; else nothing can be compared."""
        return 0 < self.share < 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known, slices in the order of time.

    ``crossed`` are units that were in both arms within one epoch, ``without_unit`` requests whose unit nobody knows,
    which count as units of their own, ``unknown_epochs`` those whose split nobody knows, ``unreadable`` records that
    are none. ``treatment_version`` is the version that exposures of the treatment named last.
    ``left_out`` are requests so near to a change that nobody knows their split, ``simulated`` those that a simulated
    model answered or judged.
    """

    slices: tuple[TimeSlice, ...] = ()
    splits: tuple[Split, ...] = ()
    crossed: int = 0
    without_unit: int = 0
    unknown_epochs: tuple[int, ...] = ()
    unreadable: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    treatment_version: str = ""
    left_out: int = 0
    simulated: int = 0

    def epochs(self, control: str, treatment: str) -> Sequence[Epoch]:
        """The sums of each epoch in which something was seen, in order; those of unknown split are left out."""
        shares = {each.epoch: (each.at, _share(each.weights, control, treatment)) for each in self.splits}
        sums: dict[int, tuple[ArmCounts, ArmCounts]] = {}
        for each in self.slices:
            before = sums.get(each.epoch, (ArmCounts(), ArmCounts()))
            sums[each.epoch] = (before[0] + each.control, before[1] + each.treatment)
        return [Epoch(number, *shares[number], *sums[number]) for number in sorted(sums) if number in shares]

    def total(self) -> tuple[ArmCounts, ArmCounts]:
        """Control and treatment over all time."""
        return _sum(each.control for each in self.slices), _sum(each.treatment for each in self.slices)


class EvidenceSource(Protocol):
    """Who counts: a file, a store. Seams to others are here, and nowhere else."""

    @property
    def label(self) -> str:
        """Where the counts come from, without secrets."""
        ...

    def read(self, policy: AbPolicy, since: datetime, splits: Sequence[Split]) -> Evidence:
        """Count what happened from ``since`` on.

        A unit counts once: its assignment with its first request, its outcome with the first one that became known, in
        the epoch and arm of the request that it belongs to. Raises UserError and OutsideError.
        """
        ...


def _share(weights: Mapping[str, float], control: str, treatment: str) -> float:
    both = weights.get(control, 0) + weights.get(treatment, 0)
    return weights.get(treatment, 0) / both if both else 0.0


def _added(first: Mapping[int, int], second: Mapping[int, int]) -> Mapping[int, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {*first, *second}}


def _sum(counts: Iterable[ArmCounts]) -> ArmCounts:
    total = ArmCounts()
    for each in counts:
        total += each
    return total
