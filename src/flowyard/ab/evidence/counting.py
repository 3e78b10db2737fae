"""From records of production to counts: a unit counts once, by what was known first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from flowyard.ab.evidence.joining import joined_records
from flowyard.ab.evidence.model import ArmCounts, Evidence, Split, TimeSlice, latency_bucket
from flowyard.ab.evidence.record_values import (
    Joined,
    has_failed,
    is_of_another_arm,
    is_simulated,
    is_too_low,
    is_unsafe,
    known_at,
    moment,
    number,
    outcome,
    value_at,
)
from flowyard.ab.policy.model import AbPolicy

__all__ = ["count_records"]


class _Cell(NamedTuple):
    """Where something counts: number of the interval since the start, epoch, arm."""

    interval: int
    epoch: int
    treated: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """One request of one of the two arms."""

    unit: str
    at: datetime
    epoch: int
    treated: bool
    joined: Joined


class _Outcome(NamedTuple):
    at: datetime
    value: float
    covariate: float | None
    seen: _Seen


@dataclass(slots=True)
class _Tally:
    counts: dict[_Cell, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    latency: dict[_Cell, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    scores: dict[_Cell, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def arm(self, cell: _Cell) -> ArmCounts:
        if cell not in self.counts:
            return ArmCounts()
        sums: dict[str, Any] = {
            name: value if name.endswith(_FLOATS) else int(value) for name, value in self.counts[cell].items()
        }
        latency, scores = dict(self.latency.get(cell, {})), dict(self.scores.get(cell, {}))
        return ArmCounts(**sums, latency=latency, scores=scores)


_FLOATS = ("total", "squares", "cubes", "products", "usd")


def count_records(
    records: Iterable[Mapping[str, Any] | None], policy: AbPolicy, since: datetime, splits: Sequence[Split]
) -> Evidence:
    """The counts of these records (None for an unreadable one); those of other experiments and mirrors are left out.

    ``kind: epoch`` records tell of splits that ``splits`` do not.
    """
    known = {each.epoch: each for each in splits}
    unreadable = 0
    kept: list[Mapping[str, Any]] = []
    for record in records:
        told = _split(record) if record is not None and record.get("kind") == "epoch" else None
        if told is not None:
            known.setdefault(told.epoch, told)
        elif record is not None and isinstance(record.get("kind"), str):
            kept.append(record)
        else:
            unreadable += 1
    seen = sorted(_exposures(joined_records(kept), policy, since, list(known.values())), key=lambda each: each.at)
    tally = _Tally()
    _count_requests(seen, policy, since, tally)
    _count_outcomes(seen, policy, since, tally)
    units_of_their_own = sum(not _has_unit(each.joined["exposure"], policy) for each in seen)
    return Evidence(
        _slices(tally, policy, since),
        tuple(sorted(known.values(), key=lambda each: each.epoch)),
        _crossed(seen),
        units_of_their_own if policy.unit != "request" else 0,
        tuple(sorted({each.epoch for each in seen} - known.keys())),
        unreadable,
        seen[0].at if seen else None,
        seen[-1].at if seen else None,
        next((_version(each) for each in reversed(seen) if each.treated and _version(each)), ""),
        simulated=sum(is_simulated(each.joined) for each in seen),
    )


def _version(seen: _Seen) -> str:
    """That of the arm which answered; nothing where it is not the unit's own."""
    exposure = seen.joined["exposure"]
    version = exposure.get("version")
    return version[:200] if isinstance(version, str) and exposure.get("chosen_by") != "fallback" else ""


def _split(record: Mapping[str, Any]) -> Split | None:
    at, weights, epoch = moment(record), record.get("weights"), record.get("epoch")
    if at is None or not isinstance(weights, Mapping) or not isinstance(epoch, int):
        return None
    plain = {str(arm): number(weight) for arm, weight in weights.items()}
    return Split(epoch, at, {arm: weight for arm, weight in plain.items() if weight is not None and weight >= 0})


def _exposures(
    by_request: Mapping[str, Joined], policy: AbPolicy, since: datetime, splits: Sequence[Split]
) -> Iterable[_Seen]:
    for request, joined in by_request.items():
        exposure = joined.get("exposure")
        at = moment(exposure) if exposure is not None else None
        if exposure is None or at is None or at < since or exposure.get("mirror"):
            continue
        if exposure.get("experiment") != policy.experiment:
            continue
        treated = _is_treated(exposure, policy)
        if treated is None or exposure.get("chosen_by") == "override":  # a tester, whom nobody assigned
            continue
        unit = exposure.get("unit") if _has_unit(exposure, policy) else None
        epoch = exposure.get("epoch")
        number_ = epoch if isinstance(epoch, int) else _epoch_at(at, splits)
        yield _Seen(f"u{unit}" if unit else f"r{request}", at, number_, treated, joined)


def _is_treated(exposure: Mapping[str, Any], policy: AbPolicy) -> bool | None:
    """Whether the unit was assigned to the treatment, whichever arm answered; None for an arm that is not compared."""
    is_elsewhere = exposure.get("chosen_by") == "fallback"
    is_told = is_elsewhere and isinstance(exposure.get("assigned"), str)
    names = [exposure.get(name) for name in (("assigned", "assigned_version") if is_told else ("arm", "version"))]
    if policy.treatment not in names and policy.control not in names:
        return None
    treated = policy.treatment in names
    return not treated if is_elsewhere and not is_told else treated  # of two arms it was the other one


def _has_unit(exposure: Mapping[str, Any], policy: AbPolicy) -> bool:
    """Whether it says of whom the request was, where that matters; else each request is a unit of its own."""
    return policy.unit != "request" and bool(exposure.get("unit")) and exposure.get("unit_from") != "request"


def _epoch_at(at: datetime, splits: Sequence[Split]) -> int:
    """By time, where a platform that splits does not say it; -1 before all."""
    return max((each.epoch for each in splits if each.at <= at), default=-1)


def _cell(at: datetime, seen: _Seen, policy: AbPolicy, since: datetime) -> _Cell:
    return _Cell(max(0, (at - since) // policy.interval), seen.epoch, seen.treated)


def _count_requests(seen: Sequence[_Seen], policy: AbPolicy, since: datetime, tally: _Tally) -> None:
    known: set[str] = set()
    looked: set[tuple[_Cell, str]] = set()
    for each in seen:
        cell = _cell(each.at, each, policy, since)
        counts = tally.counts[cell]
        counts["requests"] += 1
        if each.unit not in known:
            known.add(each.unit)
            counts["units"] += 1
        if (cell, each.unit) not in looked:
            looked.add((cell, each.unit))
            _look(each, policy, counts, tally.latency[cell])
            _look_at_judge(each, policy, since, tally)


def _look(each: _Seen, policy: AbPolicy, counts: dict[str, float], latency: dict[int, int]) -> None:
    """What guardrails want to know of one request."""
    counts["looks"] += 1
    counts["errors"] += has_failed(each.joined)
    if is_of_another_arm(each.joined):
        return
    took = number(each.joined["exposure"].get("latency_s"))
    if took is not None:
        latency[latency_bucket(took)] += 1
    cost = number(each.joined.get("exchange", {}).get("cost_usd"))
    if cost is not None:
        counts["priced"] += 1
        counts["cost_usd"] += cost
        counts["cost_squares"] += cost * cost
        counts["cost_cubes"] += cost * cost * cost
    unsafe = is_unsafe(each.joined, policy.safety_field)
    if unsafe is not None:
        counts["safety_judged"] += 1
        counts["unsafe"] += unsafe


def _look_at_judge(each: _Seen, policy: AbPolicy, since: datetime, tally: _Tally) -> None:
    """A judgement counts when it was made, so that no interval of before changes."""
    guardrail = policy.judged
    if guardrail is None or guardrail.field is None or guardrail.at_least is None:
        return
    low = is_too_low(each.joined, guardrail.field, guardrail.at_least)
    if low is not None:
        at = max(each.at, known_at(each.joined, guardrail.field) or each.at)
        counts = tally.counts[_cell(at, each, policy, since)]
        counts["judged"] += 1
        counts["judged_low"] += low


def _count_outcomes(seen: Sequence[_Seen], policy: AbPolicy, since: datetime, tally: _Tally) -> None:
    """The first outcome of a unit; of numbers the mean of those in the same epoch and arm."""
    by_unit: dict[str, list[_Outcome]] = defaultdict(list)
    for each in seen:
        value = outcome(policy.primary, each.joined)
        if value is not None:
            covariate = number(value_at(each.joined, policy.covariate)) if policy.covariate else None
            by_unit[each.unit].append(_Outcome(_known_at(each, policy), value, covariate, each))
    for outcomes in by_unit.values():
        first = min(outcomes, key=lambda each: each.at)
        value = first.value if policy.primary.is_binary else _mean_beside(first, outcomes)
        cell = _cell(first.at, first.seen, policy, since)
        _add_outcome(tally.counts[cell], policy, value, first.covariate)
        if policy.primary.bounds:
            tally.scores[cell][round(100 * policy.primary.scaled(value))] += 1


def _known_at(seen: _Seen, policy: AbPolicy) -> datetime:
    kind = "feedback" if policy.primary.metric == "feedback" else "exposure"
    return max(seen.at, known_at(seen.joined, policy.primary.field or kind) or seen.at)


def _mean_beside(first: _Outcome, outcomes: Sequence[_Outcome]) -> float:
    place = (first.seen.epoch, first.seen.treated)
    values = [each.value for each in outcomes if (each.seen.epoch, each.seen.treated) == place]
    return sum(values) / len(values)


def _add_outcome(counts: dict[str, float], policy: AbPolicy, value: float, covariate: float | None) -> None:
    counts["values"] += 1
    counts["total"] += value
    counts["squares"] += value * value
    counts["cubes"] += value * value * value
    if policy.primary.is_binary:
        counts["successes" if value else "failures"] += 1
    if covariate is not None:
        counts["paired"] += 1
        counts["paired_total"] += value
        counts["paired_squares"] += value * value
        counts["covariate_total"] += covariate
        counts["covariate_squares"] += covariate * covariate
        counts["products"] += value * covariate


def _slices(tally: _Tally, policy: AbPolicy, since: datetime) -> tuple[TimeSlice, ...]:
    return tuple(
        TimeSlice(
            epoch,
            since + interval * policy.interval,
            tally.arm(_Cell(interval, epoch, treated=False)),
            tally.arm(_Cell(interval, epoch, treated=True)),
        )
        for interval, epoch in sorted({(cell.interval, cell.epoch) for cell in tally.counts})
    )


def _crossed(seen: Sequence[_Seen]) -> int:
    arms: dict[tuple[str, int], set[bool]] = defaultdict(set)
    for each in seen:
        arms[each.unit, each.epoch].add(each.treated)
    return len({unit for (unit, _), both in arms.items() if len(both) > 1})
