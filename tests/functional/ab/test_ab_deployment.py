"""``flowyard ab`` over deployments that a platform splits: a fake cluster's route, and exchanges as servers write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from traffic_helper import TrafficShop, deployed_shop

import flowyard.cli.ab.options
import flowyard.steps.carry_out

POLICY = """\
name: shop-2
arms: {control: "1", treatment: "2"}
unit: request
primary: {metric: feedback, field: feedback.rating, success: [up], expected: 0.6, smallest: 0.1}
guardrails:
  - {metric: error_rate, most: 0.05}
min_duration: 0s
min_sample: 50
ramp: [{share: 10, min_duration: 0s, min_sample: 10}, {share: 50, min_duration: 0s, min_sample: 10}]
split: {deployment: prod, margin: 1m}
"""
NONE = ("--evidence", "records.jsonl")


class Clock:
    """Moves by hand, so that a test of an hour takes none."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat("2026-03-01T10:00:00+00:00")

    def __call__(self) -> datetime:
        return self.now

    def text(self) -> str:
        return self.now.isoformat(timespec="seconds")


class Test:
    """A test of two versions that are deployed; ``asked`` counts requests, so that each is another one."""

    __test__ = False

    def __init__(self, shop: TrafficShop, clock: Clock) -> None:
        self.shop, self.clock, self.asked = shop, clock, 0
        (shop.root / "ab.yaml").write_text(POLICY)
        (shop.root / "records.jsonl").write_text("")
        shop.approve_version(2)

    def ab(self, *words: str, code: int = 0) -> Any:
        return self.shop.command("ab", words[0], ".", *words[1:], code=code)

    def decide(self, *, code: int = 0) -> Any:
        return self.ab("decide", *NONE, code=code)

    def traffic(self) -> dict[str, int]:
        one, two = self.shop.names
        found = self.shop.traffic()["traffic"]
        return {version: found[name] for version, name in (("1", one), ("2", two)) if name in found}

    def requests(self, arms: Mapping[str, tuple[int, int]], *, status: int = 200, flow: str = "shop") -> None:
        """An hour in which versions answer: how many people were happy with each, and how many not."""
        begun = self.clock.now + timedelta(minutes=5)
        with (self.shop.root / "records.jsonl").open("a") as lines:
            for version, (up, down) in arms.items():
                for number in range(up + down):
                    self.asked += 1
                    at = (begun + timedelta(milliseconds=number)).isoformat()
                    trace = {"trace_id": f"{self.asked:032x}", "span_id": f"{self.asked:016x}"}
                    about = {"at": at, "flow": flow, "version": version, **trace}
                    exchange = {"kind": "exchange", **about, "request_id": "everybody-sends-this", "route": "/score"}
                    answer = {"status": status, "latency_s": 0.2, "error": None, "inputs": {}, "outputs": {}}
                    lines.write(json.dumps({**exchange, **answer}) + "\n")
                    said = {"kind": "feedback", **about, "request_id": f"said-{self.asked}"}
                    rating = {"rating": "up" if number < up else "down"}
                    lines.write(json.dumps({**said, "feedback": rating, "baggage": {}}) + "\n")
        self.clock.now += timedelta(hours=1)


@pytest.fixture
def test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Test]:
    clock = Clock()
    monkeypatch.setattr(flowyard.cli.ab.options, "_now", clock)
    monkeypatch.setattr(sys.modules["flowyard.steps.carry_out"], "_now", clock.text)
    with deployed_shop(tmp_path) as shop:
        yield Test(shop, clock)


def test_a_better_version_climbs_the_ramp_and_gets_all_requests_after_a_yes(test: Test):
    started = test.ab("start")
    assert started["ramp"]["share"] == 10
    assert test.traffic() == {"1": 90, "2": 10}
    test.requests({"1": (54, 36), "2": (7, 3)})
    found = test.decide()
    assert (found["state"], found["moved_to"], found["unit"]) == ("continue", 50, "request")
    assert test.traffic() == {"1": 50, "2": 50}
    test.requests({"1": (600, 400), "2": (800, 200)})
    test.requests({"1": (600, 0)}, flow="another")

    found = test.decide(code=4)
    assert (found["state"], found["rule"], found["moved_to"]) == ("promote", "primary_better", None)
    assert [(each["treatment_share"], each["treatment"]["requests"]) for each in found["epochs"]] == [
        (0.1, 10),
        (0.5, 1000),
    ]
    assert test.traffic() == {"1": 50, "2": 50}, "it waits for a yes"
    test.shop.command("approval", "approve", found["approval"]["request"], "--by", "bob", "--reason", "better")
    found = test.decide()
    assert (found["moved_to"], found["ramp"]["end"]) == (100, "promote")
    assert (test.traffic(), test.shop.alias("prod")) == ({"2": 100}, 2)
    planned = test.shop.command("deploy", "rollback", ".", "--env", "prod", "--dry-run")
    assert planned["version"] == "shop:1"
    assert {sum(share for _, share in shares) for shares, _ in test.shop.fake.shares_seen} == {100}


def test_a_bad_version_is_rolled_back_at_once_though_nothing_is_approved(test: Test):
    test.ab("start")
    asked = test.shop.command("approval", "list")[0]["id"]
    test.shop.command("approval", "reject", asked, "--by", "bob", "--reason", "stop it")
    test.requests({"1": (90, 0), "2": (10, 0)})
    refused = test.decide(code=4)
    assert "No living approval allows shop:2" in refused
    assert test.traffic() == {"1": 90, "2": 10}, "it gets no more"
    test.requests({"2": (0, 40)}, status=500)
    test.requests({"1": (360, 0)})
    found = test.decide(code=3)
    assert (found["state"], found["rule"]) == ("rollback", "guardrail error_rate most")
    assert (test.traffic(), test.shop.alias("prod")) == ({"1": 100}, 1)


def test_requests_near_a_change_are_left_out(test: Test):
    test.ab("start")
    settled = test.clock.now
    for seconds, counts in ((-30, 0), (1, 0), (59, 0), (62, 1), (3600, 1)):
        test.clock.now = settled + timedelta(seconds=seconds) - timedelta(minutes=5)
        (test.shop.root / "records.jsonl").write_text("")
        test.requests({"1": (1, 0)})
        test.clock.now = settled + timedelta(hours=2)
        found = test.ab("status", *NONE)
        assert sum(each["control"]["requests"] for each in found["epochs"]) == counts, seconds
        assert found["left_out"] == 1 - counts
    text = test.shop.here("ab", "status", ".", *NONE).stdout
    assert "counted by request" in text


def test_somebody_else_sets_the_split(test: Test):
    one, two = test.shop.names
    test.ab("start")
    test.requests({"1": (90, 0), "2": (10, 0)})
    behind = test.shop.fake.objects.found["HTTPRoute", "shop-dev"].body["spec"]["rules"][0]["backendRefs"]
    for each in behind:  # by a tool that is none of ours
        each["weight"] = {f"shop-dev-{one}": 70, f"shop-dev-{two}": 30}[each["name"]]
    found = test.decide(code=4)
    assert (found["rule"], found["moved_to"]) == ("split_changed", None)
    test.shop.traffic("--set", "1=90,2=10")
    found = test.ab("status", *NONE)
    assert found["epochs"] == [], "nobody knows since when the split was another one"
    assert found["left_out"] == 100
    test.requests({"1": (90, 0), "2": (10, 0)})
    assert test.decide()["moved_to"] == 50


def test_collected_records_are_the_same_evidence(test: Test):
    test.ab("start")
    test.requests({"1": (540, 360), "2": (90, 10)})
    by_file = test.ab("status", *NONE)
    (test.shop.root / "records").mkdir()
    (test.shop.root / "records.jsonl").rename(test.shop.root / "records" / "records-1.jsonl")
    test.shop.command("monitor", "collect", "records")
    assert test.ab("status") == by_file
    assert by_file["primary"]["treatment_units"] == 100


def test_a_split_that_is_stopped_gives_the_requests_back(test: Test):
    test.ab("start")
    assert test.ab("stop", "--reason", "not this week")["ramp"]["end"] == "stopped"
    assert test.traffic() == {"1": 100}


def test_what_cannot_be_split_so(test: Test):
    root = test.shop.root
    (root / "ab.yaml").write_text(POLICY.replace("unit: request", "unit: user"))
    assert "only requests can count" in test.ab("start", code=2)
    (root / "ab.yaml").write_text(POLICY.replace('"1"', "a"))
    assert "numbers of versions" in test.ab("start", code=2)
    (root / "ab.yaml").write_text(POLICY.replace("deployment: prod", "deployment: dev"))
    assert "flowyard gateway" in test.ab("start", code=2)
    plain = POLICY.partition("split:")[0]
    (root / "ab.yaml").write_text(plain)
    assert "belong together" in test.ab("start", "--deployment", ".", code=2)
    (root / "ab.yaml").write_text(plain.replace("unit: request", "unit: session"))
    assert "only requests" in test.ab("start", "--deployment", ".", "--env", "prod", code=2)
    (root / "ab.yaml").write_text(plain)
    assert test.ab("start", "--deployment", ".", "--env", "prod")["ramp"]["share"] == 10
    assert test.traffic() == {"1": 90, "2": 10}
    (root / "ab.yaml").write_text(POLICY)
    assert "says who splits already" in test.ab("status", "--deployment", ".", "--env", "prod", code=2)
