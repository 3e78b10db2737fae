"""The control plane of a gateway: every route asks for the key, and the command line goes through it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from functional_helper import quick_flowyard
from gateway_helper import KEY, ask, behind, gateway

from flowyard.ab.split.gateway import GatewaySplit
from flowyard.errors import UserError
from flowyard.gateway.control import ControlPlane

ROUTES = [
    ("GET", "/v1/gateway"),
    ("PUT", "/v1/gateway/weights"),
    ("POST", "/v1/gateway/drain"),
    ("GET", "/v1/gateway/epochs"),
    ("GET", "/metrics"),
]


def test_every_route_is_in_the_list():
    plane = ControlPlane("key", None, dict, str)  # type: ignore[arg-type]
    assert [(route.method, route.path) for route in plane.routes] == ROUTES
    assert not any(route.is_open for route in plane.routes)


def test_who_has_no_key_gets_nothing(tmp_path: Path):
    with behind("a") as (a,), gateway(tmp_path, {"a": a}) as gate:
        for method, path in [*ROUTES, ("GET", "/nothing")]:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"api-key": ""}, {"authorization": f"Basic {KEY}"}):
                answer = ask(gate.control_url, method, path, b"{}" if method != "GET" else None, headers)
                assert answer.status == 401, (method, path, headers)
        assert ask(gate.url, "GET", "/v1/gateway", None, {}).json()["name"] == "a", "the data plane has no such route"
        assert gate.control("GET", "/nothing").status == 404
        assert gate.control("GET", "/v1/gateway/weights").status == 405
        gate.stop()


WRONG = [
    ([], 400),
    ({}, 400),
    ({"weights": {"a": "1"}}, 400),
    ({"weights": {"a": True}}, 400),
    ({"weights": {"a": -1, "b": 2}}, 400),
    ({"weights": {"a": 0, "b": 0}}, 400),
    ({"weights": {}}, 400),
    ({"weights": {"c": 1}}, 404),
    ({"weights": {"a": 1}, "epoch": 7}, 409),
    ({"weights": {"a": 1}, "because": ""}, 400),
]


def test_weights_that_cannot_be_change_nothing(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        for body, status in WRONG:
            assert gate.control("PUT", "/v1/gateway/weights", body).status == status, body
        assert gate.control("POST", "/v1/gateway/drain", {"backend": "c"}).status == 404
        assert gate.control("GET", "/v1/gateway").json()["epoch"] == 1
        gate.stop()


def test_a_test_of_two_versions_reads_and_sets_them(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        split = GatewaySplit(gate.control_url, KEY)
        split.set_weights({"a": 75, "b": 25}, "a step")
        assert [(each.epoch, each.weights) for each in split.splits()] == [
            (1, {"a": 90, "b": 10}),
            (2, {"a": 75, "b": 25}),
        ]
        by_version = GatewaySplit(gate.control_url, KEY, ("a:1", "b"))
        by_version.set_weights({"a:1": 60, "b": 40}, "another step")
        assert by_version.weights() == {"a:1": 60, "b": 40}
        assert gate.state()["weights"] == {"a": 60, "b": 40}
        gate.stop()


def test_arms_that_are_no_two_backends_are_refused(tmp_path: Path):
    with behind("a") as (a,):
        versions = {"a": "shop:3", "b": "shop:3", "c": "shop:4"}
        backends = {name: {"url": a.url, "weight": 1, "version": version} for name, version in versions.items()}
        with gateway(tmp_path, {"a": a}, backends=backends) as gate:
            wrong = {("shop:3", "b"): "a, b of", ("a", "shop:5"): "No backend of", ("c", "shop:4"): "the same backend"}
            for arms, said in wrong.items():
                with pytest.raises(UserError, match=said):
                    GatewaySplit(gate.control_url, KEY, arms).splits()
            gate.stop()


def test_prometheus_and_people_see_the_same(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        gate.arms(range(20))
        gate.ask("/status/500", x_user_id="user-1")
        state = gate.control("GET", "/v1/gateway").json()
        assert sum(each["requests"] for each in state["backends"].values()) == 21
        assert sum(each["errors"] for each in state["backends"].values()) == 1
        assert gate.metric("requests_total") == 21
        assert gate.metric("errors_total") == 1
        assert gate.metric("latency_seconds_count") == 21
        assert gate.metric("weight") == 100
        gate.stop()


def test_the_command_line_changes_weights_and_drains(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:

        def run(*words: str) -> str:
            done = quick_flowyard("gateway", *words, "--config", gate.config, cwd=tmp_path, env=gate.env)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "a=50 b=50  half" in run("weights", "a=50", "b=50", "--reason", "half")
        drained = json.loads(run("drain", "a", "--json"))
        assert (drained["weights"], drained["drained"]) == ({"a": 0, "b": 50}, ["a"])
        assert set(gate.arms(range(20)).values()) == {"b"}
        assert "drained" in run("status")
        assert [each["epoch"] for each in json.loads(run("status", "--epochs", "--json"))] == [1, 2, 3]
        wrong = quick_flowyard("gateway", "drain", "b", "--config", gate.config, cwd=tmp_path, env=gate.env)
        assert (wrong.returncode, "Only b has a weight." in wrong.stderr) == (2, True)
        wrong = quick_flowyard("gateway", "weights", "c=1", "--config", gate.config, cwd=tmp_path, env=gate.env)
        assert (wrong.returncode, "There is no backend 'c'" in wrong.stderr) == (2, True)
        gate.stop()
        gone = quick_flowyard("gateway", "status", "--config", gate.config, cwd=tmp_path, env=gate.env)
        assert gone.returncode == 5
