"""Policies, counts and splits for tests of A/B decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flowyard.ab.evidence.model import ArmCounts, Evidence, Split, TimeSlice
from flowyard.ab.policy.model import AbPolicy, PrimaryMetric
from flowyard.abc import Splitter
from flowyard.errors import OutsideError

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def policy(**given: Any) -> AbPolicy:
    """A policy that decides at once and by itself."""
    usual: dict[str, Any] = {
        "name": "t",
        "control": "a",
        "treatment": "b",
        "primary": PrimaryMetric("no_error"),
        "experiment": "t",
        "decide": "auto",
        "min_duration": timedelta(seconds=1),
        "min_sample": 1,
    }
    return AbPolicy(**{**usual, **given})


def arm(successes: int, failures: int, **given: Any) -> ArmCounts:
    """An arm of yes and no; every unit has an outcome and asked once, unless said otherwise."""
    n = successes + failures
    usual: dict[str, Any] = {
        "requests": n,
        "units": n,
        "successes": successes,
        "failures": failures,
        "values": n,
        "total": float(successes),
        "squares": float(successes),
        "looks": n,
        "errors": failures,
    }
    return ArmCounts(**{**usual, **given})


def evidence(*epochs: tuple[float, ArmCounts, ArmCounts], **given: Any) -> Evidence:
    """One slice for each epoch: the treatment's share, control and treatment."""
    slices = tuple(
        TimeSlice(number, START + number * DAY, control, treatment)
        for number, (_, control, treatment) in enumerate(epochs, 1)
    )
    splits = tuple(
        Split(number, START + number * DAY, {"a": 1 - share, "b": share})
        for number, (share, _, _) in enumerate(epochs, 1)
    )
    return Evidence(slices, splits, first_at=START, last_at=START + DAY, **given)


class MemorySplit(Splitter):
    """Splits in memory. ``fail_before`` and ``fail_after`` make the next change fail before or after it is done."""

    def __init__(self) -> None:
        self.history: list[Split] = []
        self.fail_before = self.fail_after = False

    @property
    def label(self) -> str:
        return "memory"

    def weights(self) -> Mapping[str, float]:
        return self.history[-1].weights if self.history else {"a": 100.0}

    def splits(self) -> Sequence[Split]:
        return list(self.history)

    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        if self.fail_before:
            raise OutsideError("refused")
        self.history.append(Split(len(self.history) + 1, START, dict(weights)))
        if self.fail_after:
            raise OutsideError("lost")
