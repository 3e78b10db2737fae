"""Which exchanges are judged: the same ones each time, whatever came before, and no arm more than another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flowyard.production.datasets.known_inputs import KnownInputs
from flowyard.production.exchanges.lines import JoinedExchange
from flowyard.production.judging.sampling import Drawn, SamplingRule, draw_of, sample
from flowyard.production.records.model import ExchangeRecord, parse_record

START = datetime(2026, 3, 1, tzinfo=UTC)


def exchange(number: int, version: str = "1") -> JoinedExchange:
    record = {
        "kind": "exchange",
        "at": (START + timedelta(seconds=number)).isoformat(),
        "request_id": f"r{number}",
        "flow": "f",
        "version": version,
        "status": 200,
        "latency_s": 1,
    }
    found = parse_record(json.dumps(record).encode())
    assert isinstance(found, ExchangeRecord)
    return JoinedExchange(found)


ALL = [exchange(number, "ab"[number % 10 == 0]) for number in range(3000)]


def names(drawn: list[Drawn]) -> list[str]:
    return [each.each.exchange.request_id for each in drawn]


def test_a_rate_is_kept_in_each_arm():
    drawn = sample(ALL, "f", SamplingRule(0.2, most=3000))
    assert 480 < len(drawn) < 720
    by_arm = [
        sum(each.each.exchange.version == arm for each in drawn) / count for arm, count in (("a", 2700), ("b", 300))
    ]
    assert all(0.13 < share < 0.27 for share in by_arm)


@given(st.permutations(range(60)), st.floats(0, 1), st.integers(0, 70), st.integers(0, 5), st.integers())
def test_order_changes_nothing_and_bounds_hold(order: list[int], rate: float, most: int, per_arm: int, seed: int):
    rule = SamplingRule(rate, per_arm, most, seed)
    drawn = sample([ALL[number] for number in order], "f", rule)
    assert names(drawn) == names(sample(ALL[:60], "f", rule))
    by_rate = [each for each in drawn if each.is_drawn]
    expected = sorted((draw_of(f"r{number}", "f", seed), f"r{number}") for number in range(60))
    assert names(by_rate) == [name for draw, name in expected if draw < rate][:most]
    for arm, count in (("a", 54), ("b", 6)):
        assert sum(each.each.exchange.version == arm for each in drawn) >= min(per_arm, count)
    assert len(drawn) - len(by_rate) <= 2 * per_arm


def test_a_larger_rate_keeps_the_sample_and_what_matters_no_more_makes_room():
    small, large = (names(sample(ALL, "f", SamplingRule(rate, most=3000))) for rate in (0.05, 0.2))
    assert small == large[: len(small)]
    first = names(sample(ALL, "f", SamplingRule(0.2, most=10)))
    then = sample(ALL, "f", SamplingRule(0.2, most=10), lambda each: each.exchange.request_id not in first)
    assert first + names(then) == large[:20]
    assert sample(ALL, "f", SamplingRule(0.0, per_arm=2, most=10), lambda _: False) == []


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), min_size=1, max_size=3))
def test_inputs_are_known_in_both_forms(inputs: dict[str, int | str]):
    exported = KnownInputs([{**{f"inputs.{name}": value for name, value in inputs.items()}, "label": 1}])
    plain = KnownInputs([{**inputs, "a longer name": 1}])
    assert inputs in exported
    assert inputs in plain
    assert {**inputs, "more of them": 2} not in exported
    assert {name: [value] for name, value in inputs.items()} not in plain
