"""A gateway process before backends: who gets which arm, what callers notice of it, and what is written down."""

from __future__ import annotations

import asyncio
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from functional_helper import flowyard
from gateway_helper import behind, exposures, gateway

from flowyard.gateway.split import SlotLine, UnitHash
from flowyard.wire import Place, Request, WireClient


def test_what_machines_may_rely_on(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        arms = gate.arms(range(60))
        assert set(arms.values()) == {"a", "b"}
        assert arms == gate.arms(range(60))
        answer = gate.ask("/score?x=1", x_user_id="user-1", x_request_id="mine", x_hop="1", connection="x-hop")
        assert answer.json()["name"] == answer.arm
        assert answer.headers["x-request-id"] == "mine"
        sent = answer.json()["headers"]
        assert sent["x-request-id"] == "mine"
        assert len(sent["traceparent"]) == 55
        assert "x-hop" not in sent
        assert sent["x-forwarded-host"] in gate.url
        assert sent["host"] in (a.url + b.url)
        assert gate.ask("/status/404").arm in "ab"
        gate.stop()
    noted = exposures(tmp_path)
    assert len(noted) == 122
    found = next(each for each in noted if each["request_id"] == "mine")
    assert found["trace_id"] == sent["traceparent"].split("-")[1]
    assert (found["experiment"], found["arm"], found["version"]) == ("shop", arms[1], f"{arms[1]}:1")
    assert (found["kind"], found["epoch"], found["status"], found["mirror"]) == ("exposure", 1, 200, False)
    assert all("user-1" not in json.dumps(each) for each in noted)


def test_weights_change_under_load_without_a_failed_request(tmp_path: Path):
    """Each arm is the one that the weights of its epoch give, so that the split is right in every epoch."""
    changes, statuses = 200, list[int]()
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, salt="known") as gate:

        async def load() -> None:
            client, parts = WireClient(), urlsplit(gate.url)
            place = Place(str(parts.hostname), parts.port or 0)
            done = asyncio.Event()

            async def keep_asking(number: int) -> None:
                count = 0
                while not done.is_set():
                    count += 1
                    user = f"{number}-{count}"
                    headers = {"host": "x", "x-user-id": user, "x-request-id": user}
                    statuses.append((await client.forward(place, Request("POST", "/score", "", headers, b"{}"))).status)

            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    group.create_task(keep_asking(number))
                for number in range(changes):
                    share = number * 37 % 101
                    assert await asyncio.to_thread(gate.weigh, a=share, b=100 - share) == number + 2
                done.set()
            await client.close()

        asyncio.run(load())
        gate.stop()
    assert set(statuses) == {200}
    noted = exposures(tmp_path)
    assert len(noted) == len(statuses)
    epochs = [json.loads(line) for line in (tmp_path / "state" / "epochs.jsonl").read_text().splitlines()]
    assert len(epochs) == changes + 1
    lines = {each["epoch"]: SlotLine.of_stretches(map(tuple, each["slots"])) for each in epochs}
    hashes = UnitHash("known", "shop")
    assert all(each["arm"] == lines[each["epoch"]].arm(hashes.point(each["request_id"])) for each in noted)
    assert all(each["unit"] == hashes.name(each["request_id"]) for each in noted)


def test_a_killed_gateway_goes_on_with_the_same_weights_and_arms(tmp_path: Path):
    with behind("a", "b") as (a, b):
        with gateway(tmp_path, {"a": a, "b": b}, salt=None) as gate:  # a random one, that is kept
            assert gate.weigh(a=40, b=60) == 2
            arms = gate.arms(range(40))
            gate.process.kill()
            gate.process.wait(60)
        with gateway(tmp_path, {"a": a, "b": b}, salt=None) as gate:
            assert gate.arms(range(40)) == arms
            assert gate.control("GET", "/v1/gateway").json()["weights"] == {"a": 40, "b": 60}
            second = flowyard("gateway", "serve", "--config", gate.config, cwd=tmp_path, env=gate.env)
            assert second.returncode == 2
            assert "Another gateway uses" in second.stderr
            gate.stop()


def test_testers_choose_an_arm_and_others_do_not(tmp_path: Path):
    override = {"header": "x-variant", "key": "${TESTER_KEY}", "allow": ["tester-1"]}
    env = {"TESTER_KEY": "testers-only"}
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, env, override=override) as gate:
        user = next(user for user, arm in gate.arms(range(60)).items() if arm == "a")
        chosen = gate.ask(x_user_id=f"user-{user}", x_variant="b", x_variant_key="testers-only")
        assert chosen.arm == "b"
        assert "testers-only" not in chosen.body.decode()
        assert gate.ask(x_user_id=f"user-{user}", x_variant="b").arm == "a"
        assert gate.ask(x_user_id=f"user-{user}", x_variant="b", x_variant_key="wrong").arm == "a"
        assert {gate.ask(x_user_id="tester-1", x_variant=arm).arm for arm in "ab"} == {"a", "b"}
        assert gate.ask(x_user_id="tester-1", x_variant="nothing").status == 400
        gate.stop()
    chosen_by = [each["chosen_by"] for each in exposures(tmp_path)]
    assert (chosen_by.count("override"), chosen_by.count("weights")) == (3, len(chosen_by) - 3)


@pytest.mark.parametrize("shadow", ["dead", "silent", "failing"])
def test_whatever_becomes_of_the_mirror_callers_do_not_notice(tmp_path: Path, shadow: str):
    mirror = {"to": "shadow", "at_once": 2, "waiting": 4, "budget_per_hour": 30}
    with behind("a", "shadow") as (a, copied):
        if shadow == "dead":
            copied.stop()
        copied.status = 500 if shadow == "failing" else 200
        with gateway(tmp_path, {"a": a, "shadow": copied}, weights={"a": 1, "shadow": 0}, mirror=mirror) as gate:
            path = "/never" if shadow == "silent" else "/score"
            a.status = 201  # answers at once, whatever the path
            assert [gate.ask(path, x_request_id=f"r{number}").status for number in range(60)] == [201] * 60
            # A budget of 30 for 60 requests: at least half of the copies are not sent, whatever the shadow does.
            assert gate.metric("mirror_dropped_total") >= 30
            if shadow == "silent":
                copied.wait(lambda: len(copied.asked) == 2)
                assert gate.metric("mirror_dropped_total") == 54
            if shadow != "dead":
                copied.wait(lambda: copied.asked)
                first = copied.asked[0].headers
                assert first["x-flowyard-mirror"] == "1"
                assert first["x-request-id"].endswith("-mirror")
                assert first["tracestate"] == "flowyard=mirror"
            gate.stop()
    noted = exposures(tmp_path)
    assert sum(not each["mirror"] for each in noted) == 60
    assert all(each["arm"] == "shadow" and each["status"] != 201 for each in noted if each["mirror"])


def test_a_backend_that_is_away_is_left_alone_until_it_is_back(tmp_path: Path):
    breaker = {"failures": 2, "open_s": 0.05}
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, breaker=breaker) as gate:
        user = next(user for user, arm in gate.arms(range(60)).items() if arm == "b")
        b.stop()
        assert {gate.ask(x_user_id=f"user-{user}").arm for _ in range(5)} == {"a"}
        a.stop()
        for _ in range(4):
            answer = gate.ask(x_user_id=f"user-{user}")
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
        a.start()
        b.start()
        # Breakers let a probe through once their time is over; each of these answers is either 503 or the arm's own.
        answers = [gate.ask(x_user_id=f"user-{user}")]
        while answers[-1].status != 200 or answers[-1].arm != "b":
            answers.append(gate.ask(x_user_id=f"user-{user}"))
            assert len(answers) < 100_000
        assert {each.status for each in answers} <= {200, 503}
        gate.stop()
    assert "fallback" in {each["chosen_by"] for each in exposures(tmp_path)}


def test_what_may_have_been_begun_is_not_sent_again(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, limits={"answer_s": 0.2}) as gate:
        assert gate.ask("/never", x_user_id="x").status == 504
        assert len(a.asked) + len(b.asked) == 1
        assert gate.ask(x_user_id="x").status == 200
        assert gate.ask("/never", x_user_id="x").status == 504, "nor on a connection that was kept"
        assert len(a.asked) + len(b.asked) == 3
        gate.stop()


def test_a_stream_comes_piece_by_piece_and_ends_before_the_gateway(tmp_path: Path):
    with behind("a") as (a,), gateway(tmp_path, {"a": a}, limits={"grace_s": 100}) as gate:
        parts = urlsplit(gate.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        connection.request("POST", "/stream", b"{}")
        answer = connection.getresponse()
        assert answer.headers["content-type"] == "text/event-stream"
        a.allow()
        assert answer.read(9) == b"data: 0\n\n"
        gate.process.terminate()
        a.allow()
        a.allow()
        assert answer.read() == b"data: 1\n\ndata: 2\n\n"
        connection.close()
        assert gate.process.wait(120) == 0
    assert exposures(tmp_path)[0]["first_piece_s"] > 0


@pytest.mark.parametrize("is_kept", [False, True], ids=["new connection", "kept connection"])
@pytest.mark.parametrize("path", ["/stream", "/never"])
def test_who_leaves_is_left_by_the_backend_too(tmp_path: Path, path: str, is_kept: bool):
    with behind("a") as (a,), gateway(tmp_path, {"a": a}) as gate:
        if is_kept:
            assert gate.ask().status == 200
        parts = urlsplit(gate.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        connection.request("POST", path, b"{}")
        a.wait(lambda: len(a.asked) == 1 + is_kept)
        if path == "/stream":
            a.allow()
            connection.getresponse().read(9)
        connection.close()
        a.allow()
        a.wait(lambda: a.left)
        gate.stop()
    assert [each["status"] for each in exposures(tmp_path)] == [200, 499][not is_kept :]


def test_callers_show_a_key_and_backends_get_their_own(tmp_path: Path):
    env = {"CALLER_KEY": "of-callers", "A_KEY": "of-a"}
    with behind("a") as (a,):
        backends: Any = {"a": {"url": a.url, "weight": 1, "key": "${A_KEY}"}}
        with gateway(tmp_path, {"a": a}, env, key="${CALLER_KEY}", backends=backends) as gate:
            refused = gate.ask()
            assert (refused.status, a.asked) == (401, [])
            answer = gate.ask(authorization="Bearer of-callers")
            assert answer.json()["headers"]["authorization"] == "Bearer of-a"
            assert "api-key" not in gate.ask(api_key="of-callers").json()["headers"]
            gate.stop()


def test_a_session_is_begun_and_kept_by_a_cookie(tmp_path: Path):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, sticky={"session": "sid"}) as gate:
        first = gate.ask()
        session = next(part for part in first.headers["set-cookie"].split("; ") if part.startswith("sid="))
        assert {gate.ask(cookie=session).arm for _ in range(5)} == {first.arm}
        gate.stop()
    assert len({each["unit"] for each in exposures(tmp_path)}) == 1


def test_what_is_wrong_is_said_with_its_line(tmp_path: Path):
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "name: shop\nlisten: 0.0.0.0:8900\nbackends:\n  a: {url: ftp://x, weight: 1}\n"
        "  b: {url: 'http://h', wieght: 1}\n"
        "control: {listen: here, key: plain}\nkey: ${NOT_SET}\n"
    )
    done = flowyard("gateway", "serve", "--config", config, cwd=tmp_path)
    assert done.returncode == 2
    for text in (
        "gateway.yaml:4: backends.a.url: write http",
        "gateway.yaml:5: Unknown key 'backends.b.wieght'",
        "Did you mean 'weight'?",
        "gateway.yaml:6: control.listen: write HOST:PORT",
        "gateway.yaml:6: control.key: a key does not belong here",
        "gateway.yaml:7: The variable NOT_SET is not set",
    ):
        assert text in done.stderr
    config.write_text("name: shop\nlisten: 0.0.0.0:8900\nbackends: {a: {url: 'http://h', weight: 1}}\noverride: {}\n")
    done = flowyard("gateway", "serve", "--config", config, cwd=tmp_path)
    assert "On 0.0.0.0 anyone who reaches this machine" in done.stderr
    assert "Anybody could choose an arm." in done.stderr
