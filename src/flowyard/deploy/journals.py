"""What is written down of changes of the traffic, and what all journals say of who got which requests when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flowyard.ab.evidence.model import Split
from flowyard.errors import ExitCode
from flowyard.steps import Journal, Journals, StepRecord

__all__ = ["TrafficLog", "TrafficRecord", "give_up_unfinished", "splits_of", "version_of"]

_NAME = re.compile(r"v(\d+)-.*")
_CLOCK_STEP = timedelta(seconds=1)
"""Times of steps are in whole seconds, rounded down."""


@dataclass(frozen=True, slots=True)
class TrafficRecord(Journal):
    """One change of the traffic of one endpoint; ``versions`` has who should get what, by deployment."""


class TrafficLog(Journals[TrafficRecord]):
    """The changes of one home: ``<home>/rollouts/<use case>/<key>/traffic.json``, with the lock of rollouts."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "rollouts", TrafficRecord, "traffic", "flowyard deploy traffic USECASE --env E")


def give_up_unfinished(log: TrafficLog, name: str, env: str, target: str, why: str) -> None:
    """A change that was stopped half way is not gone on with any more. Only while nobody else deploys there."""
    record = log.unfinished(name, env, target)
    if record is not None:
        waiting = next(step for step in record.steps if step.state != "done")
        said = f"given up for {why}"
        log.save(record.with_step(waiting.name, state="refused", said=said, exit_code=int(ExitCode.OUTSIDE_FAILED)))


def version_of(deployment: str) -> str:
    """The number of the version that a deployment is called after; its whole name, if it is not called so."""
    found = _NAME.fullmatch(deployment)
    return found[1] if found else deployment


def splits_of(records: Sequence[Journal]) -> Sequence[Split]:
    """Every split that rollouts and changes of the traffic made, oldest first, by version.

    A change is in force at some moment between its beginning and ``settled_at``. One of which nobody knows whether it
    was made has none; neither has one after which something else was found than what was set, because somebody else
    changed it at a time that nobody knows.
    """
    found: list[Split] = []
    for record in sorted(records, key=lambda each: each.key):
        before: Mapping[str, float] | None = _versions(record.step("approval").result.get("before") or {})
        for at, settled_at, weights in _changes(record):
            if found and found[-1].settled_at is not None and before is not None and found[-1].weights != before:
                found[-1] = Split(found[-1].epoch, found[-1].at, found[-1].weights, None)
            found.append(Split(len(found) + 1, at, weights, settled_at))
            before = None
    return found


def _changes(record: Journal) -> Iterator[tuple[datetime, datetime | None, Mapping[str, float]]]:
    """What one record changed: the traffic, and back again when what came after it failed."""
    step = record.step("traffic")
    after = step.result.get("after")
    if after is None or step.started_at is None:
        return
    began = datetime.fromisoformat(step.started_at)
    yield began, _ended(step) if step.state == "done" else None, _versions(after)
    refused = next((each for each in record.steps if each.state == "refused" and each.started_at), None)
    if refused is not None and refused.name != "traffic":
        before = _versions(record.step("approval").result.get("before") or {})
        yield datetime.fromisoformat(str(refused.started_at)), _ended(refused), before


def _ended(step: StepRecord) -> datetime | None:
    return datetime.fromisoformat(step.ended_at) + _CLOCK_STEP if step.ended_at else None


def _versions(shares: Mapping[str, Any]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, share in shares.items():
        if share:
            found[version_of(name)] = found.get(version_of(name), 0.0) + float(share)
    return found
