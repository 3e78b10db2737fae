"""From journals of rollouts and of changes of the traffic to splits, and which requests belong to which of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowyard.ab.evidence.exchanges import settled_split
from flowyard.ab.evidence.model import Split
from flowyard.deploy.journals import TrafficRecord, splits_of, version_of
from flowyard.steps import StepRecord

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat(timespec="seconds")


def record(
    number: int, before: Mapping[str, int], after: Mapping[str, int] | None, state: Any = "done", **more: Any
) -> TrafficRecord:
    began = 10 * number
    ended = None if state == "running" else at(began + 1)
    result = {} if after is None else {"before": before, "after": after}
    steps = (
        StepRecord("approval", "done", {"before": before}, started_at=at(began), ended_at=at(began)),
        StepRecord("traffic", state, result, started_at=at(began), ended_at=ended),
        StepRecord("verify", more.get("verify", "done"), {}, started_at=at(began + 2), ended_at=at(began + 3)),
    )
    return TrafficRecord("shop", f"{number:03}", "prod", "kubernetes", "ann", at(began), {}, steps, Path())


A, B = "v1-aaaaaaaa", "v2-bbbbbbbb"


def settled(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes, seconds=1)


def test_each_change_is_in_force_some_time_after_it_began():
    splits = splits_of([record(2, {A: 90, B: 10}, {A: 50, B: 50}), record(1, {A: 100}, {A: 90, B: 10})])
    assert splits == [
        Split(1, START + timedelta(minutes=10), {"1": 90.0, "2": 10.0}, settled(11)),
        Split(2, START + timedelta(minutes=20), {"1": 50.0, "2": 50.0}, settled(21)),
    ]


def test_what_nobody_knows_is_not_settled():
    changed = splits_of([record(1, {A: 100}, {A: 90, B: 10}), record(2, {A: 70, B: 30}, {A: 50, B: 50})])
    assert [each.settled_at for each in changed] == [None, settled(21)], "somebody else changed it in between"
    stopped = splits_of([record(1, {A: 100}, {A: 90, B: 10}, "running")])
    assert [each.settled_at for each in stopped] == [None]
    refused = splits_of([record(1, {A: 100}, None, "refused")])
    assert refused == [], "nothing was written"


def test_a_rollout_that_is_undone_gives_the_split_back():
    splits = splits_of([record(1, {A: 100}, {B: 100}, verify="refused")])
    assert [(each.weights, each.settled_at) for each in splits] == [
        ({"2": 100.0}, settled(11)),
        ({"1": 100.0}, settled(13)),
    ]


def test_deployments_are_called_after_versions():
    assert [version_of(name) for name in ("v12-1a2b3c4d", "blue")] == ["12", "blue"]


@st.composite
def histories(draw: st.DrawFn) -> list[Split]:
    found, now = [], 0
    for number in range(draw(st.integers(1, 5))):
        now += draw(st.integers(1, 500))
        began = START + timedelta(seconds=now)
        takes = draw(st.none() | st.integers(0, 300))
        ended = None if takes is None else began + timedelta(seconds=takes)
        now += takes or 0
        found.append(Split(number + 1, began, {"1": 90.0, "2": 10.0}, ended))
    return found


@given(histories(), st.integers(-600, 5000), st.integers(0, 120))
def test_a_request_counts_only_where_its_split_is_certain(splits: list[Split], second: int, margin_s: int):
    now, margin = START + timedelta(seconds=second), timedelta(seconds=margin_s)
    found = settled_split(splits, now, margin)
    near = [
        each
        for each in splits
        if each.at - margin <= now and (each.settled_at is None or now < each.settled_at + margin)
    ]
    last = next((each for each in reversed(splits) if each.at - margin <= now), None)
    if found is None:
        assert last is None or last in near
    else:
        assert found is last
        assert found not in near
