"""Drift of observations: what is found of shifts, how often nothing is taken for something, and whom it concerns."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flowyard.production.drift import DriftSettings, Observation, compare, drifted_ids
from flowyard.production.drift.features import field_features
from flowyard.production.drift.script import script_of

Change = Callable[[dict[str, Any], random.Random], dict[str, Any]]
WORDS = ["refund", "delivery", "invoice", "login", "other"]


def asked(numbers: random.Random) -> dict[str, Any]:
    return {
        "question": "word " * max(1, int(math.exp(numbers.gauss(2.5, 0.6)))) + str(numbers.random()),
        "topic": numbers.choices(WORDS, [40, 30, 15, 10, 5])[0],
        "age": numbers.gauss(40, 12),
        "is_new": numbers.random() < 0.3,
        "notes": None if numbers.random() < 0.5 else ["a"] * numbers.randint(1, 4),
    }


def seen(seed: int, count: int, change: Change = lambda values, _: values, version: str = "1") -> list[Observation]:
    numbers = random.Random(seed)
    return [
        Observation(dict(field_features("inputs", change(asked(numbers), numbers))), version, f"{seed}-{number}")
        for number in range(count)
    ]


def test_nothing_is_rarely_taken_for_something():
    """100 windows like their reference, of small ones half: by chance one feature of 100 windows drifts."""
    alarms = sum(
        bool(compare(seen(1000 + run, 300), seen(5000 + run, 60 if run % 2 else 400)).drifted) for run in range(100)
    )
    assert alarms <= 5  # the level is 1 %: 1 expected, and more than 5 happens once in a thousand times


def test_the_two_conditions_guard_each_other():
    """Without the effect large windows alarm on nothing; without the p-value small ones do on noise."""

    def older(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
        return {**values, "age": numbers.gauss(41.5, 12)}

    large = compare(seen(1, 4000), seen(2, 4000, older), DriftSettings(features=("inputs.age",)))
    assert (large.features[0].p_value < 0.001, large.drifted) == (True, [])
    noisy = [compare(seen(100 + run, 50), seen(200 + run, 50)) for run in range(10)]
    assert any(each.effect >= 0.1 for report in noisy for each in report.features)
    assert not any(report.drifted for report in noisy)


def longer(values: dict[str, Any], _: random.Random) -> dict[str, Any]:
    return {**values, "question": values["question"] * 2}


def foreign(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
    return {**values, "question": "где мой заказ " * 5} if numbers.random() < 0.3 else values


def other_topics(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
    return {**values, "topic": "outage"} if numbers.random() < 0.3 else values


def older(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
    return {**values, "age": values["age"] + 12}


def no_notes(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
    return {**values, "notes": None} if numbers.random() < 0.8 else values


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        (longer, "inputs.question.length"),
        (foreign, "inputs.question.script"),
        (other_topics, "inputs.topic"),
        (older, "inputs.age"),
        (no_notes, "inputs.notes.is_none"),
    ],
)
def test_shifts_are_found_in_what_shifted(change: Change, feature: str):
    """Of 12 windows of 200 that shifted, all but one at most are found, each in its feature first of all."""
    reports = [compare(seen(run, 300), seen(900 + run, 200, change)) for run in range(12)]
    assert sum(feature in {each.feature for each in report.drifted} for report in reports) >= 11


def test_versions_are_compared_by_themselves():
    report = compare(seen(1, 300), [*seen(2, 300), *seen(3, 300, other_topics, "2"), *seen(4, 10, longer, "3")])
    assert {(each.version, each.feature) for each in report.drifted} == {("2", "inputs.topic")}
    assert report.current_records == {"1": 300, "2": 300, "3": 10}
    assert report.too_few == ["3"]
    assert report.drifted[0].reference_text.startswith("refund ")


def test_vectors_are_compared_by_distance():
    numbers = random.Random(4)

    def vectors(count: int, mean: float) -> list[Observation]:
        return [
            Observation(dict(field_features("inputs", {"e": [numbers.gauss(mean * (i < 4), 1) for i in range(12)]})))
            for _ in range(count)
        ]

    assert not compare(vectors(120, 0), vectors(120, 0)).drifted
    (found,) = compare(vectors(120, 0), vectors(120, 1.5)).drifted
    assert (found.feature, found.kind, found.bins) == ("inputs.e", "vector", ())


def test_drifted_exchanges_are_those_in_new_regions():
    current = seen(2, 400, other_topics)
    report = compare(seen(1, 400), current)
    wanted = {each.id for each in current if each.values["inputs.topic"] == "outage"}
    assert drifted_ids(report, current) == wanted
    grown = seen(3, 400, longer)
    chosen = drifted_ids(compare(seen(1, 400), grown), grown)
    lengths = {each.id: each.values["inputs.question.length"] for each in grown}
    assert 0 < len(chosen) < 400
    assert min(lengths[each] for each in chosen) > max(lengths[each.id] for each in grown if each.id not in chosen)
    assert drifted_ids(compare(seen(1, 400), seen(4, 400)), current) == frozenset()


def test_many_new_categories_are_others():
    def named(values: dict[str, Any], numbers: random.Random) -> dict[str, Any]:
        return {**values, "topic": f"new {numbers.randint(0, 90)}"} if numbers.random() < 0.5 else values

    current = seen(2, 500, named)
    report = compare(seen(1, 300), current)
    (found,) = [each for each in report.drifted if each.feature == "inputs.topic"]
    assert found.bins[-1].is_others
    new = {each.id for each in current if str(each.values["inputs.topic"]).startswith("new")}
    assert len(drifted_ids(report, current) & new) > 0.6 * len(new)


def test_odd_values_are_no_trouble():
    odd = {"a": float("nan"), "b": 10**400, "c": "\ud800" * 3, "d": {"x": [1] * 3}, "e": [True] * 9, "": "", "f": -0.0}
    found = dict(field_features("inputs", odd))
    assert "inputs.a" not in found
    assert "inputs.b" not in found
    report = compare([Observation(found)] * 60, [replace(Observation(found), version="\x1b")] * 60)
    assert report.features == []
    assert compare([], []).features == []
    mixed = [Observation({"inputs.x": 1.0 if number % 2 else "one"}) for number in range(100)]
    assert compare(mixed, mixed).features == []


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Where is my order?", "latin"),
        ("où est-elle", "latin"),
        ("где мой заказ", "cyrillic"),
        ("注文はどこですか", "japanese"),
        ("我的订单在哪里", "cjk"),
        ("내 주문", "hangul"),
        ("أين طلبي", "arabic"),
        ("1234 !?", "none"),
        ("", "none"),
        ("a б", "cyrillic"),
    ],
)
def test_scripts(text: str, script: str):
    assert script_of(text) == script
