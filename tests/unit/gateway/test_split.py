"""Units stay with their arm; when weights change, only those move that have to (delivery: sticky assignment)."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.gateway.epochs import Epoch, EpochFile
from flowyard.gateway.split import SLOTS, SlotLine, UnitHash, others, shared_slots
from flowyard.gateway.weights import first_epoch

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.floats(0, 1000), min_size=1).filter(
    lambda weights: sum(weights.values()) > 0.001
)


@given(WEIGHTS)
def test_all_slots_are_given_by_weight(weights):
    slots = shared_slots(weights)
    total = sum(weights.values())
    assert sum(slots.values()) == SLOTS
    assert all(abs(slots[arm] - weight * SLOTS / total) < 1 for arm, weight in weights.items())


@settings(max_examples=60, deadline=None)
@given(WEIGHTS, st.lists(WEIGHTS, max_size=4))
def test_a_change_moves_no_slot_that_need_not_move(weights, changes):
    line = SlotLine.first(weights)
    for change in changes:
        before, line = line, line.changed(change)
        have, had = Counter(line.arms), Counter(before.arms)
        assert have == Counter({arm: count for arm, count in shared_slots(change).items() if count})
        moved = [(old, new) for old, new in zip(before.arms, line.arms, strict=True) if old != new]
        assert len(moved) == sum(max(0, have[arm] - had[arm]) for arm in have)
        assert all(had[old] > have[old] and have[new] > had[new] for old, new in moved)
        assert SlotLine.of_stretches(line.stretches) == line


def test_two_arms_are_two_intervals_whatever_the_way_there():
    line = SlotLine.first({"a": 90, "b": 10})
    for percent in (80, 0, 35, 100, 99.5):
        line = line.changed({"a": percent, "b": 100 - percent})
        assert line == SlotLine.first({"a": percent, "b": 100 - percent})


def test_a_line_that_is_not_whole_is_refused():
    with pytest.raises(ValueError, match="slots are needed"):
        SlotLine.of_stretches([("a", SLOTS - 1)])


def test_a_million_units_of_which_ten_percent_move(tmp_path: Path):
    hashes, again = UnitHash("salt", "first"), UnitHash("salt", "first")
    weights = {"a": 90.0, "b": 10.0}
    first_epoch(EpochFile(tmp_path / "epochs"), weights)
    begun = first_epoch(EpochFile(tmp_path / "epochs"), weights)  # restarted
    EpochFile(tmp_path / "epochs").append(Epoch.after(begun, {"a": 80.0, "b": 20.0}, reason=""))
    changed = first_epoch(EpochFile(tmp_path / "epochs"), weights)  # restarted again
    before, after = begun.line, changed.line
    assert (begun.number, changed.number) == (1, 2)
    moves: Counter[tuple[str, str]] = Counter()
    for number in range(1_000_000):
        point = hashes.point(f"user-{number}")
        moves[before.arm(point), after.arm(point)] += 1
    assert all(hashes.point(f"user-{each}") == again.point(f"user-{each}") for each in range(0, 1_000_000, 97))
    assert moves["b", "a"] == 0
    assert abs(moves["a", "b"] / 1_000_000 - 0.1) < 0.002
    assert abs((moves["a", "a"] + moves["a", "b"]) / 1_000_000 - 0.9) < 0.002


def test_experiments_split_independently_of_each_other():
    first, second = UnitHash("salt", "first"), UnitHash("salt", "second")
    line = SlotLine.first({"a": 50, "b": 50})
    counts = Counter(
        (line.arm(first.point(f"user-{number}")), line.arm(second.point(f"user-{number}"))) for number in range(40_000)
    )
    chi_square = sum((counts[x, y] - 10_000) ** 2 / 10_000 for x in "ab" for y in "ab")
    assert chi_square < 21.1  # p > 1e-4 at three degrees of freedom
    table = numpy.zeros((2, 2))
    uneven = SlotLine.first({"a": 90, "b": 10})
    for number in range(200_000):
        unit = f"user-{number}"
        table["ab".index(uneven.arm(first.point(unit))), "ab".index(uneven.arm(second.point(unit)))] += 1
    assert scipy.stats.chi2_contingency(table, correction=False).pvalue > 1e-4


def test_the_observed_share_is_that_of_each_epoch():
    drawn, hashes, line = random.Random(8), UnitHash("salt", "x"), SlotLine.first({"a": 50, "b": 50})
    for epoch in range(200):
        share = drawn.randint(1, 99) / 100
        line = line.changed({"a": share, "b": 1 - share})
        got = sum(line.arm(hashes.point(f"{epoch}-{number}")) == "a" for number in range(2000))
        assert abs(got / 2000 - share) < 4 * math.sqrt(share * (1 - share) / 2000)


def test_names_of_units_do_not_depend_on_the_experiment_but_on_the_salt():
    assert UnitHash("s", "one").name("ann") == UnitHash("s", "two").name("ann")
    assert UnitHash("s", "one").name("ann") != UnitHash("t", "one").name("ann")
    assert "ann" not in UnitHash("s", "one").name("ann")


def test_units_of_an_arm_that_is_away_go_to_the_others_by_weight():
    hashes, line = UnitHash("salt", "x"), SlotLine.first({"a": 60, "b": 30, "c": 10})
    weights = {"a": 60.0, "b": 30.0, "c": 10.0}
    found: Counter[str] = Counter()
    for number in range(20_000):
        point = hashes.point(str(number))
        if line.arm(point) == "a":
            order = others(["b", "c"], weights, point)
            assert sorted(order) == ["b", "c"]
            assert order == others(["b", "c"], weights, point)
            found[order[0]] += 1
    assert abs(found["b"] / found.total() - 0.75) < 0.02
