from __future__ import annotations

import pickle
from typing import Any

import pytest

from flowyard.errors import UserError
from flowyard.llm import CallRules
from flowyard.llm.pacing import RateLimit, limit_of, parse_limits, read_limits


def test_limits_are_read_from_options_and_from_files() -> None:
    wanted = {"my=azure": RateLimit(600, 90_000), "b": RateLimit(tpm=5.5)}
    assert parse_limits(["my=azure=rpm:600,tpm:90000", "b = tpm: 5.5"]) == wanted
    assert read_limits({"my=azure": {"rpm": 600, "tpm": 90000}, "b": "tpm:5.5"}) == wanted
    assert read_limits({}) == {}


def test_a_star_is_for_connections_without_a_limit_of_their_own() -> None:
    limits = parse_limits(["*=rpm:1", "own=tpm:2"])
    assert limit_of(limits, "own") == RateLimit(tpm=2)
    assert limit_of(limits, "other") == limit_of(limits, None) == RateLimit(rpm=1)
    assert limit_of({}, "other") == RateLimit()


@pytest.mark.parametrize(
    "text", ["600", "a", "=rpm:6", "a=rpm", "a=rpm:x", "a=rpm:0", "a=rpm:-1", "a=tpm:inf", "a=rmp:1"]
)
def test_wrong_options_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--limits") as caught:
        parse_limits([text])
    assert caught.value.hint


@pytest.mark.parametrize(
    "block", [[], {"a": {}}, {"a": {"rpm": True}}, {"a": {"rpm": None}}, {"a": {"qps": 1}}, {"a": 600}, {"a": "600"}]
)
def test_wrong_blocks_are_refused(block: Any) -> None:
    with pytest.raises(UserError, match="limits") as caught:
        read_limits(block, "run.yaml:7")
    assert caught.value.where == "run.yaml:7"


def test_rules_can_be_sent_to_a_worker() -> None:
    rules = CallRules(limits=parse_limits(["a=rpm:1"]))
    assert pickle.loads(pickle.dumps(rules)) == rules
