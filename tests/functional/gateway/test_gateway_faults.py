"""A gateway process whose backends, disk and operators misbehave: requests are answered, and nothing is lost."""

from __future__ import annotations

import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from functional_helper import PATIENCE_S, quick_flowyard, read_jsonl
from gateway_helper import KEY, Gate, behind, exposures, gateway

from flowyard.errors import Conflict
from flowyard.gateway import ControlClient


def user_of(gate: Gate, arm: str) -> str:
    """The name of somebody who gets that arm."""
    return f"user-{next(user for user, found in gate.arms(range(60)).items() if found == arm)}"


def test_a_fallback_names_the_arm_that_was_assigned(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        user = user_of(gate, "b")
        b.stop()
        assert gate.ask(x_user_id=user, x_request_id="instead").arm == "a"
        assert gate.state()["backends"]["b"]["last_failure"]
        gate.stop()
    found = {each["request_id"]: each for each in exposures(tmp_path)}
    names = ("arm", "version", "assigned", "assigned_version", "chosen_by")
    assert [found["instead"][name] for name in names] == ["a", "a:1", "b", "b:1", "fallback"]
    del found["instead"]
    assert all(each["assigned"] == each["arm"] and "assigned_version" not in each for each in found.values())


def test_what_does_not_ask_the_flow_is_no_part_of_the_experiment(tmp_path: Path):
    mirror = {"to": "shadow"}
    with (
        behind("a", "shadow") as (a, shadow),
        gateway(tmp_path, {"a": a, "shadow": shadow}, weights={"a": 1, "shadow": 0}, mirror=mirror) as gate,
    ):
        assert gate.ask("/feedback", x_user_id="ann", x_request_id="said").status == 200
        for path in ("/health", "/health/ready", "/", "/page.js", "/swagger.json"):
            assert gate.ask(path, body=None).status == 200
        assert [each.path for each in a.asked if each.path == "/feedback"] == ["/feedback"]
        assert gate.ask(x_user_id="ann", x_request_id="asked").status == 200
        shadow.wait(lambda: shadow.asked)
        assert [each.path for each in shadow.asked] == ["/score"]
        assert gate.metric("requests_total") >= 7, "the traffic of an arm is all that it gets"
        gate.stop()
    assert {each["request_id"] for each in exposures(tmp_path)} <= {"asked", "asked-mirror"}


def test_copies_that_wait_are_bounded_by_their_bytes(tmp_path: Path):
    """Whatever the number that may wait: copies of 8 MB fill what the mirror may hold after three."""
    mirror = {"to": "shadow", "at_once": 2, "waiting": 1000, "timeout_s": 3600}
    with (
        behind("a", "shadow") as (a, shadow),
        gateway(tmp_path, {"a": a, "shadow": shadow}, weights={"a": 1, "shadow": 0}, mirror=mirror) as gate,
    ):
        a.status = 201  # answers at once, whatever the path
        body = b" " * (8 << 20)
        assert [gate.ask("/never", body).status for _ in range(8)] == [201] * 8
        assert 3 * len(body) < gate.metric("mirror_bytes") < 32 << 20
        assert gate.metric('mirror_dropped_total{reason="bytes"}') == 5
        found = gate.state()["mirror"]
        assert (found["sent"], found["waiting"], found["dropped"]) == (0, 1, 5)
        assert gate.ask().status == 201, "a small one has room"
        assert gate.metric("mirror_dropped_total") == 5
        gate.stop()


def test_a_backend_that_says_it_is_not_well_gets_nothing_until_it_is(tmp_path: Path):
    health = {"every_s": 0.02, "timeout_s": 60, "failures": 2}
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, health=health) as gate:
        user = user_of(gate, "b")
        b.is_well = False
        state = gate.until(lambda found: not found["backends"]["b"]["healthy"])
        assert state["backends"]["b"]["last_failure"] == "GET /health: 503"
        assert gate.metric("healthy") == 1
        assert [gate.ask(x_user_id=user).arm for _ in range(3)] == ["a"] * 3
        a.is_well = False
        gate.until(lambda found: not found["backends"]["a"]["healthy"])
        refused = gate.ask(x_user_id=user)
        assert (refused.status, int(refused.headers["retry-after"])) == (503, 1)
        a.is_well = b.is_well = True
        gate.until(lambda found: all(each["healthy"] for each in found["backends"].values()))
        assert gate.ask(x_user_id=user).arm == "b"
        b.stop()
        gate.until(lambda found: not found["backends"]["b"]["healthy"])
        gate.stop()


def test_a_cookie_of_the_site_keeps_its_arm_over_a_restart(tmp_path: Path):
    sticky = {"header": "x-user-id", "cookie": "customer"}

    def arms(gate: Gate) -> list[str]:
        return [gate.ask(cookie=f'theme=dark; customer="c{number}"; x=1').arm for number in range(40)]

    with behind("a", "b") as (a, b):
        with gateway(tmp_path, {"a": a, "b": b}, sticky=sticky) as gate:
            first = arms(gate)
            assert (set(first), arms(gate)) == ({"a", "b"}, first)
            gate.stop()
        with gateway(tmp_path, {"a": a, "b": b}, sticky=sticky) as gate:
            assert arms(gate) == first
            gate.stop()
    assert {each["unit_from"] for each in exposures(tmp_path)} == {"cookie"}
    assert len({each["unit"] for each in exposures(tmp_path)}) == 40


def test_more_than_at_once_is_refused_and_room_is_given_back(tmp_path: Path):
    with behind("a") as (a,), gateway(tmp_path, {"a": a}, limits={"at_once": 2}) as gate:
        begun = [gate.begin("/stream") for _ in range(2)]
        a.wait(lambda: len(a.asked) == 2)
        refused = gate.ask()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for _ in range(6):
            a.allow()
        for each in begun:
            assert each.getresponse().read().count(b"data:") == 3
            each.close()
        gate.until(lambda found: not found["under_way"])
        assert gate.ask().status == 200
        gate.stop()
    assert [each["status"] for each in exposures(tmp_path)] == [200] * 3


def test_a_stream_that_is_under_way_outlives_the_drain_of_its_backend(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        user = user_of(gate, "b")
        stream = gate.begin("/stream", x_user_id=user)
        b.wait(lambda: b.asked[-1].path == "/stream")
        b.allow()
        answer = stream.getresponse()
        assert answer.read(9) == b"data: 0\n\n"
        drained = gate.control("POST", "/v1/gateway/drain", {"backend": "b", "reason": "old"}).json()
        assert (drained["weights"]["b"], drained["backends"]["b"]["under_way"]) == (0, 1)
        assert gate.ask(x_user_id=user).arm == "a"
        b.allow()
        b.allow()
        assert answer.read() == b"data: 1\n\ndata: 2\n\n"
        stream.close()
        gate.until(lambda found: not found["backends"]["b"]["under_way"])
        gate.stop()
    (streamed,) = [each for each in exposures(tmp_path) if each["first_piece_s"] is not None]
    assert (streamed["status"], streamed["epoch"], streamed["arm"]) == (200, 1, "b")


def test_of_operators_who_change_weights_at_once_one_does(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        control = ControlClient(gate.control_url, KEY)

        def change(share: int) -> int | str:
            try:
                return int(control.set_weights({"a": 100 - share, "b": share}, "mine", epoch=1)["epoch"])
            except Conflict as error:
                return error.message

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(change, range(20, 32)))
        assert [each for each in found if isinstance(each, int)] == [2]
        assert found.count("Epoch 2 holds, not 1: somebody has changed the weights.") == 11
        assert gate.state()["weights"]["b"] == 20 + found.index(2)
        assert gate.control("PUT", "/v1/gateway/weights", {"weights": {"a": 1}, "epoch": 1}).status == 409
        words = ("gateway", "weights", "a=1", "--epoch", "1", "--config", gate.config)
        late = quick_flowyard(*words, cwd=tmp_path, env=gate.env)
        assert (late.returncode, "Epoch 2 holds, not 1" in late.stderr) == (2, True)
        assert len(control.epochs()) == 2
        gate.stop()


def test_a_killed_gateway_leaves_one_torn_line_at_most(tmp_path: Path):
    with behind("a", "b") as (a, b):
        with gateway(tmp_path, {"a": a, "b": b}) as gate:
            epoch = gate.weigh(a=70, b=30)
            gate.arms(range(50))
            gate.process.kill()
            gate.process.wait(PATIENCE_S)
        log = next((tmp_path / "exposures").glob("*.jsonl"), tmp_path / "exposures" / "torn.jsonl")
        with log.open("ab") as file, (tmp_path / "state" / "epochs.jsonl").open("ab") as epochs:
            file.write(b'{"kind": "exposure", "at": "2026-')  # as a kill in the middle of a write leaves it
            epochs.write(b'{"epoch": 3, "at": "2026-')
        with gateway(tmp_path, {"a": a, "b": b}) as gate:
            assert (gate.state()["epoch"], gate.state()["weights"]) == (epoch, {"a": 70, "b": 30})
            gate.arms(range(50))
            assert gate.weigh(a=60, b=40) == 3
            gate.stop()
        collected = quick_flowyard("monitor", "collect", "exposures", "--json", cwd=tmp_path, env=gate.env)
    found = json.loads(collected.stdout)
    assert (collected.returncode, found["broken"]) == (0, 0)
    assert found["exposures"] >= 50, "all of the one that ended by itself"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="a limit is set on another process by prlimit")
@pytest.mark.parametrize("room", [0, 700], ids=["no byte", "a torn line"])
def test_a_full_disk_stops_neither_requests_nor_what_comes_later(tmp_path: Path, room: int):
    """The process may make no file longer than ``room`` bytes: what is written fails as on a full disk."""

    def limit(size: int) -> None:
        _, most = resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (size, most))

    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        epochs = tmp_path / "state" / "epochs.jsonl"
        limit(epochs.stat().st_size + 20 if room else 0)
        refused = gate.control("PUT", "/v1/gateway/weights", {"weights": {"a": 1}})
        assert (refused.status, b"cannot be written down" in refused.body) == (500, True)
        limit(room)
        assert [gate.ask(x_user_id=f"u{number}").status for number in range(30)] == [200] * 30
        gate.until(lambda found: found["exposures"]["dropped"])
        assert gate.metric("exposures_dropped_total") > 0
        assert (gate.state()["epoch"], len(read_jsonl(epochs))) == (1, 1)
        limit(resource.RLIM_INFINITY)
        assert gate.weigh(a=50, b=50) == 2
        assert [gate.ask(x_request_id=f"after-{number}").status for number in range(5)] == [200] * 5
        gate.stop()
    kept = {each["request_id"] for each in exposures(tmp_path)}
    assert {f"after-{number}" for number in range(5)} <= kept, "and no line is torn"
    assert [each["epoch"] for each in read_jsonl(epochs)] == [1, 2]


def test_a_state_folder_that_cannot_be_written_is_said(tmp_path: Path):
    with behind("a") as (a,):
        (tmp_path / "state" / "epochs.jsonl").mkdir(parents=True)
        settings: dict[str, Any] = {"name": "x", "listen": "127.0.0.1:0", "state": "state"}
        settings["backends"] = {"a": {"url": a.url, "weight": 1}}
        (tmp_path / "gateway.yaml").write_text(json.dumps(settings))
        done = quick_flowyard("gateway", "serve", "--config", "gateway.yaml", cwd=tmp_path)
    assert (done.returncode, "cannot be used: Is a directory" in done.stderr) == (2, True)
