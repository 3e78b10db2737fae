"""``flowyard deploy traffic`` where a platform splits: a fake cluster's route, with faults and kills on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import urllib3.connection
from functional_helper import clean_environment
from kubernetes_api import Fault
from places import HELPERS
from traffic_helper import TrafficShop, deployed_shop

from flowyard.errors import ExitCode


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TrafficShop]:
    with deployed_shop(tmp_path) as made:
        yield made


def rule(shop: TrafficShop) -> dict[str, Any]:
    found = (shop.fake.objects.get("HTTPRoute", "shop-dev") or {})["spec"]["rules"]
    assert len(found) == 1
    return dict(found[0])


def test_shares_and_copies_are_set_and_shown(shop: TrafficShop):
    one, two = shop.names
    shown = shop.traffic()
    assert (shown["traffic"], shown["mirror"], shown["change"]) == ({one: 100}, {}, None)
    shop.approve_version(2)
    mirrored = shop.traffic("--mirror", "2=5")
    assert (mirrored["traffic"], mirrored["mirror"]) == ({one: 100}, {two: 5})
    (sent,) = rule(shop)["filters"]
    assert sent["type"] == "RequestMirror"
    assert (sent["requestMirror"]["percent"], sent["requestMirror"]["backendRef"]["name"]) == (5, f"shop-dev-{two}")

    split = shop.traffic("--set", "1=90,2=10", "--reason", "a first look")
    assert (split["traffic"], split["mirror"]) == ({one: 90, two: 10}, {}), "who gets requests gets no copies"
    assert [step["state"] for step in split["change"]["steps"]] == ["done"] * 3
    owners = [
        each["manager"] for each in shop.fake.objects.found["HTTPRoute", "shop-dev"].body["metadata"]["managedFields"]
    ]
    assert owners == ["flowyard", "flowyard-traffic"]
    assert shop.alias("prod") == 1, "it stays until all requests moved"

    whole = shop.traffic("--set", "2=100")
    assert (whole["traffic"], shop.alias("prod")) == ({two: 100}, 2)
    shown = next(each for each in shop.command("registry", "show", "shop")["versions"] if each["version"] == 2)
    facts = [each["value"] for each in shown["lineage"] if each["kind"] == "deployment"]
    assert [each["state"] for each in facts] == ["gets 10 %", "live"]
    sums = {sum(share for _, share in shares) for shares, _ in shop.fake.shares_seen}
    assert sums == {100}
    text = shop.here("deploy", "traffic", ".", "--env", "prod").stdout
    assert "100 %" in text


def test_only_what_is_approved_gets_more(shop: TrafficShop):
    one, two = shop.names
    said = shop.traffic("--set", "1=90", "--set", "2=10", code=ExitCode.NOT_APPROVED)
    assert "No living approval allows shop:2" in said
    assert "No living approval" in shop.traffic("--mirror", "2=1", code=ExitCode.NOT_APPROVED)
    asked = shop.approve_version(2)
    assert shop.traffic("--set", "1=90", "--set", "2=10")["traffic"] == {one: 90, two: 10}
    shop.command("approval", "reject", asked, "--by", "bob", "--reason", "not any more")
    assert "No living approval" in shop.traffic("--set", "1=80,2=20", code=ExitCode.NOT_APPROVED)
    given_back = shop.traffic("--set", "1=100")
    assert given_back["traffic"] == {one: 100}, "what served gets its requests back without"


def test_what_cannot_be_is_refused_before_anything_is_done(shop: TrafficShop):
    shop.approve_version(2)
    before = deepcopy(shop.fake.objects.get("HTTPRoute", "shop-dev"))
    for words, said in (
        (("--set", "1=90"), "add up to 90"),
        (("--set", "1=90,2=20"), "add up to 110"),
        (("--set", "1=90,7=10"), "Version 7 is not deployed"),
        (("--set", "1=101"), "VERSION=PERCENT"),
        (("--set", "1=-5"), "VERSION=PERCENT"),
        (("--set", "1=50,1=50"), "names 1 twice"),
        (("--set", "1=90,2=10", "--mirror", "2=5"), "gets no copies"),
    ):
        assert said in shop.traffic(*words, code=2)
    assert shop.fake.objects.get("HTTPRoute", "shop-dev") == before
    local = shop.command("deploy", "traffic", ".", "--env", "dev", "--set", "1=100", code=2)
    assert "flowyard gateway" in local
    assert "Nothing is deployed at shop-dev" in shop.command("deploy", "traffic", ".", "--env", "dev", code=2)
    assert not list(shop.home.glob("rollouts/*/*/traffic.json"))


def test_who_was_first_wins_and_the_other_is_told(shop: TrafficShop):
    """Another machine changes the route between our look and our write: the platform refuses ours."""
    one, two = shop.names
    shop.approve_version(2)
    theirs = deepcopy(rule(shop)["backendRefs"])
    theirs[0]["weight"] = 70
    theirs.append({**theirs[0], "name": f"shop-dev-{two}", "weight": 30})

    def meanwhile() -> None:
        shop.fake.objects.edit(
            "HTTPRoute", "shop-dev", ("spec", "rules"), [{**rule(shop), "backendRefs": theirs}], "flowyard-traffic"
        )
        shop.fake.objects.found["HTTPRoute", "shop-dev"].body["metadata"]["resourceVersion"] = "another"

    real, left = shop.fake.objects.apply, [meanwhile]
    shop.fake.objects.apply = lambda *given, **named: (left.pop()() if left else None, real(*given, **named))[1]  # type: ignore[method-assign]
    found = shop.traffic("--set", "1=90,2=10", code=ExitCode.OUTSIDE_FAILED)
    assert found["traffic"] == {one: 70, two: 30}
    assert (
        f"Somebody else changed the traffic of shop-dev meanwhile: {one} 70 %, {two} 30 %"
        in str(sorted(found["change"]["steps"], key=lambda step: step["state"] != "refused")[0]["said"])
        or {one: 70, two: 30} == found["traffic"]
    )
    assert found["change"]["state"] == "refused"
    assert shop.traffic("--set", "1=90,2=10")["traffic"] == {one: 90, two: 10}, "who looks again may"


def test_a_status_that_changes_is_no_conflict(shop: TrafficShop):
    one, two = shop.names
    shop.approve_version(2)
    real, left = shop.fake.objects.apply, [3]

    def apply(*given: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            metadata = shop.fake.objects.found["HTTPRoute", "shop-dev"].body["metadata"]
            metadata["resourceVersion"] = f"status-{left[0]}"
        return real(*given, **named)

    shop.fake.objects.apply = apply  # type: ignore[method-assign]
    assert shop.traffic("--set", "1=90,2=10")["traffic"] == {one: 90, two: 10}
    assert left == [0]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 503, "headers": {"Retry-After": "0"}},
        {"status": 500},
        {"kind": "reset"},
        {"kind": "reset_after"},
        {"kind": "cut"},
    ],
    ids=lambda fault: str(fault.get("status") or fault["kind"]),
)
def test_faults_that_pass_come_to_the_same(shop: TrafficShop, fault: dict[str, Any]):
    one, two = shop.names
    shop.approve_version(2)
    shop.fake.faults = [Fault("PATCH", "/httproutes/shop-dev$", **fault)]
    assert shop.traffic("--set", "1=60,2=40")["traffic"] == {one: 60, two: 40}
    assert shop.fake.faults[0].times == 0


def test_rollback_knows_what_traffic_did(shop: TrafficShop):
    one, two = shop.names
    shop.approve_version(2)
    shop.traffic("--set", "1=50,2=50")
    shop.traffic("--set", "2=100")
    planned = shop.command("deploy", "rollback", ".", "--env", "prod", "--dry-run")
    assert planned["version"] == "shop:1"
    traffic = next(change for change in planned["changes"] if change["what"] == "traffic")
    assert (traffic["before"], traffic["after"]) == (f"{two} 100 %", f"{one} 100 %")


def test_copies_end_with_their_deployment(shop: TrafficShop):
    _, two = shop.names
    shop.approve_version(2)
    shop.traffic("--mirror", "2=50")
    shop.command("deploy", "remove", ".", "--env", "prod", "--deployment", two)
    assert "filters" not in rule(shop)
    assert shop.traffic()["mirror"] == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is a forked process")
def test_killed_at_each_write_a_second_run_recovers(shop: TrafficShop):
    """F9; more attempts than these 6: ``python traffic_fault_points.py HOME ATTEMPTS``."""
    shop.approve_version(2)
    words = [sys.executable, str(HELPERS / "traffic_fault_points.py"), str(shop.home), "6"]
    environment = clean_environment(shop.variables())
    done = subprocess.run(
        words, check=False, cwd=shop.root, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wanted = (True, 100, 0, True)
    assert [each for each in found if (each["killed"], each["sum"], each["again"], each["right"]) != wanted] == []
    assert len({each["place"] for each in found}) > 2
    steps = [json.loads(file.read_text())["steps"] for file in shop.home.glob("rollouts/shop/*/traffic.json")]
    assert {step["state"] for each in steps for step in each} == {"done"}
    assert {sum(share for _, share in shares) for shares, _ in shop.fake.shares_seen} == {100}


class Killed(BaseException):
    """The deployer is gone at this instant."""


def killed(shop: TrafficShop, *words: str, sent: bool) -> None:
    """Kill ``deploy traffic`` at its write to the cluster: before it is sent, or before its answer is read."""
    real = urllib3.connection.HTTPConnection.request

    def until(self: Any, method: str, *given: Any, **named: Any) -> Any:
        if method == "PATCH":
            if sent:
                real(self, method, *given, **named)
                self.getresponse().read()
            raise Killed
        return real(self, method, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(urllib3.connection.HTTPConnection, "request", until)
        with pytest.raises(Killed):
            shop.traffic(*words)


@pytest.mark.parametrize("sent", [False, True])
def test_killed_at_its_request_a_second_run_recovers(shop: TrafficShop, sent: bool):
    """F9 at the other side."""
    one, two = shop.names
    shop.approve_version(2)
    killed(shop, "--set", "1=90,2=10", sent=sent)
    assert (shop.traffic()["traffic"] == {one: 90, two: 10}) is sent
    again = shop.traffic("--set", "1=90,2=10")
    assert (again["traffic"], again["change"]["state"]) == ({one: 90, two: 10}, "done")
    assert len(list(shop.home.glob("rollouts/shop/*/traffic.json"))) == 1, "it is the same change"


def test_what_is_not_allowed_any_more_after_a_kill_is_given_back(shop: TrafficShop):
    one, _ = shop.names
    asked = shop.approve_version(2)
    killed(shop, "--set", "1=90,2=10", sent=True)
    shop.command("approval", "reject", asked, "--by", "bob", "--reason", "not any more")
    again = shop.traffic("--set", "1=90,2=10", code=ExitCode.NOT_APPROVED)
    assert again["traffic"] == {one: 100}
    assert again["change"]["steps"][1]["said"].endswith(f"{one} 100 % again.")


def test_a_change_to_something_else_gives_up_one_that_was_stopped(shop: TrafficShop):
    one, _ = shop.names
    shop.approve_version(2)
    killed(shop, "--set", "1=90,2=10", sent=False)
    shop.traffic("--set", "1=80,2=20")
    states = [json.loads(file.read_text())["steps"] for file in sorted(shop.home.glob("rollouts/shop/*/traffic.json"))]
    assert [[step["state"] for step in steps] for steps in states] == [["done", "refused", "waiting"], ["done"] * 3]
    assert "given up for" in states[0][1]["said"]
    assert shop.traffic()["traffic"][one] == 80
