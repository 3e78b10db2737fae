"""``flowyard ab serve`` as a process, and what ``ab export argo`` writes for those who ask it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from functional_helper import PATIENCE_S, ending, flowyard_here, start_flowyard, wait_for_text
from gateway_helper import Answered, ask
from places import ROOT
from ruamel.yaml import YAML

KEY = "decision-key-of-the-tests"
POLICY = """\
name: greeting_2
experiment: greeting/two
arms: {control: a, treatment: b}
primary: {metric: no_error}
guardrails:
  - {metric: error_rate, most: 0.05}
min_duration: 0s
min_sample: 50
max_duration: 1d
ramp: [{share: 20, min_duration: 0s, min_sample: 10}]
decide: approval
"""
DECISION = "/v1/ab/greeting%2Ftwo/decision"
LOOK_S, MOST_LOOKS = 0.3, 400


class Room:
    """A test of two versions whose records are in a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "ab.yaml").write_text(POLICY)
        (root / "r.jsonl").write_text("")

    def variables(self) -> dict[str, str]:
        return {"FLOWYARD_HOME": str(self.root / "home"), "FLOWYARD_USER": "ann", "FLOWYARD_AB_KEY": KEY}

    def command(self, *words: str, code: int = 0) -> Any:
        done = flowyard_here(*words, "--json", cwd=self.root, env=self.variables())
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    def requests(self, since: str, arm: str, good: int, bad: int) -> None:
        at = datetime.fromisoformat(since)
        with (self.root / "r.jsonl").open("a") as lines:
            for number in range(good + bad):
                about = {"at": (at + timedelta(milliseconds=number)).isoformat(), "request_id": f"{arm}{number}"}
                seen = {"unit": f"{arm}{number}", "arm": arm, "epoch": 1, "latency_s": 0.2, "mirror": False}
                status = 200 if number < good else 500
                record = {"kind": "exposure", **about, "experiment": "greeting/two", "status": status, **seen}
                lines.write(json.dumps(record) + "\n")

    @contextmanager
    def served(self, *words: str) -> Iterator[Callable[..., Answered]]:
        ready = self.root / "ready"
        command = ("ab", "serve", ".", "--evidence", "r.jsonl", "--port", "0", "--ready-file", ready, *words)
        with ending(start_flowyard(*command, cwd=self.root, env=self.variables())):
            url = wait_for_text(ready, PATIENCE_S)

            def asked(path: str = DECISION, key: str | None = KEY, method: str = "GET") -> Answered:
                headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
                return ask(url, method, path, None, headers)

            yield asked


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def after(asked: Callable[..., Answered], is_so: Callable[[Any], bool]) -> Any:
    """The first answer that is so; answers are kept for a second."""
    waiting = threading.Event()
    for _ in range(MOST_LOOKS):
        found = asked()
        if found.status == 200 and is_so(found.json()):
            return found.json()
        waiting.wait(LOOK_S)
    raise AssertionError(found.body)


def test_it_answers_what_is_so_and_changes_nothing(room: Room):
    split = room.root / "home" / "ab" / "greeting_2" / "split.json"
    with room.served("--fresh-s", "1") as asked:
        assert asked().status == 404, "it was not started"
        since = room.command("ab", "start", ".")["ramp"]["started_at"]
        before = split.read_bytes()
        room.requests(since, "a", 400, 0)
        room.requests(since, "b", 60, 40)
        found = after(asked, lambda each: each["state"] == "rollback")
        assert found["rule"] == "guardrail error_rate most"
        assert (found["verdict"], found["end"], found["share"]) == ("Running", None, 20), "nobody carried it out yet"
        assert (found["weights"], found["epoch"]) == ({"a": 80, "b": 20}, 1)
        assert found["counts"]["treatment"] == {"requests": 100, "units": 100, "outcomes": 100}
        assert split.read_bytes() == before
        room.command("ab", "decide", ".", "--evidence", "r.jsonl", code=3)
        found = after(asked, lambda each: each["end"] is not None)
        assert (found["verdict"], found["end"], found["weights"]) == ("Failed", "rollback", {"a": 100, "b": 0})


def test_a_promotion_waits_for_a_yes_that_it_does_not_ask_for(room: Room):
    since = room.command("ab", "start", ".")["ramp"]["started_at"]
    room.requests(since, "a", 600, 200)
    room.requests(since, "b", 198, 2)
    (room.root / "ab.yaml").write_text(POLICY.replace("guardrails:\n  - {metric: error_rate, most: 0.05}\n", ""))
    with room.served("--fresh-s", "1") as asked:
        found = asked().json()
        assert (found["state"], found["verdict"]) == ("promote", "Running")
        assert (found["approval"]["allowed"], found["approval"]["request"]) == (False, None)
        assert room.command("approval", "list") == [], "it only looks"
        request = room.command("ab", "decide", ".", "--evidence", "r.jsonl", code=4)["approval"]["request"]
        room.command("approval", "approve", request, "--by", "bob", "--reason", "better")
        found = after(asked, lambda each: each["approval"]["allowed"])
        assert found["verdict"] == "Running", "still nothing was carried out"
        room.command("ab", "decide", ".", "--evidence", "r.jsonl")
        assert after(asked, lambda each: each["end"] is not None)["verdict"] == "Successful"


def test_only_who_has_the_key_learns_anything(room: Room):
    with room.served() as asked:
        for key in (None, "", "wrong", KEY + "x"):
            for path in (DECISION, "/v1/ab/other/decision", "/"):
                assert asked(path, key).status == 401
        assert asked("/v1/ab/other/decision").status == 404
        assert asked("/v1/ab/greeting/two/decision").status == 404
        for method in ("POST", "PUT", "DELETE"):
            assert asked(DECISION, method=method).status == 405
        assert asked("/health", None).json() == {"status": "healthy"}
    done = flowyard_here("ab", "serve", ".", cwd=room.root, env={**room.variables(), "FLOWYARD_AB_KEY": ""})
    assert done.returncode == 2
    assert "FLOWYARD_AB_KEY is not set" in done.stderr


SCHEMA = json.loads((ROOT / "tests" / "schemas" / "argo" / "rollouts-1.8.json").read_text())
WORDS = ("--address", "http://flowyard-ab.flows.svc:8903/", "--secret", "ab-key/key", "--workload", "triage")


def exported(room: Room, *words: str) -> dict[str, Any]:
    files = room.command("ab", "export", "argo", ".", "--out", "argo", *WORDS, *words)
    found = {}
    for file in files:
        manifest = YAML(typ="safe").load(room.root / file)
        found[manifest["metadata"]["name"]] = manifest
        if manifest["kind"] in SCHEMA["kinds"]:
            checker = {"$ref": f"#/definitions/{manifest['kind']}", "definitions": SCHEMA["definitions"]}
            jsonschema.Draft7Validator(checker).validate(manifest)
    return found


def test_argo_is_told_where_to_ask_and_what_the_answers_mean(room: Room):
    found = exported(room, "--selector", "app=triage", "--interval", "5m")
    assert sorted(found) == [
        "greeting-2",
        "greeting-2-canary",
        "greeting-2-decision",
        "greeting-2-holds",
        "greeting-2-stable",
    ]
    (decided,) = found["greeting-2-decision"]["spec"]["metrics"]
    web = decided["provider"]["web"]
    assert web["url"] == f"http://flowyard-ab.flows.svc:8903{DECISION}"
    assert web["headers"] == [{"key": "Authorization", "value": "Bearer {{args.decision-key}}"}]
    (argument,) = found["greeting-2-decision"]["spec"]["args"]
    assert argument["valueFrom"] == {"secretKeyRef": {"name": "ab-key", "key": "key"}}
    assert (decided["count"], decided["inconclusiveLimit"]) == (289, 289), "a day of five minutes"
    (holds,) = found["greeting-2-holds"]["spec"]["metrics"]
    assert "count" not in holds, "it goes on beside the steps"
    verdicts = ("Successful", "Failed", "Inconclusive", "Running")
    assert [phase(decided, each) for each in verdicts] == ["Successful", "Failed", "Inconclusive", "Inconclusive"]
    assert [phase(holds, each) for each in verdicts] == ["Successful", "Failed", "Inconclusive", "Successful"]
    assert holds["inconclusiveLimit"] == 0, "a person is waited for at once"
    canary = found["greeting-2"]["spec"]["strategy"]["canary"]
    assert canary["steps"][0] == {"setWeight": 20}
    assert (canary["stableService"], canary["canaryService"]) == ("greeting-2-stable", "greeting-2-canary")
    assert KEY not in "".join(file.read_text() for file in (room.root / "argo").iterdir())


def phase(metric: dict[str, Any], result: str) -> str:
    """What Argo makes of a measurement: its conditions are comparisons of ``result``, joined by or."""

    def holds(condition: str) -> bool:
        return any(part.strip() == f'result == "{result}"' for part in condition.split("||"))

    if holds(metric["failureCondition"]):
        return "Failed"
    return "Successful" if holds(metric["successCondition"]) else "Inconclusive"


@pytest.mark.parametrize(
    "words",
    [
        ("--address", "http://u:p@host"),
        ("--address", "file:///etc/passwd"),
        ("--address", "http://h/{{args.x}}"),
        ("--secret", "name"),
        ("--workload", "Bad_Name"),
        ("--name", "a" * 60),
        ("--selector", "app"),
        ("--interval", "5"),
        ("--interval", "2h"),
    ],
)
def test_what_argo_could_not_use_is_refused(room: Room, words: tuple[str, str]):
    said = room.command("ab", "export", "argo", ".", "--out", "argo", *WORDS, *words, code=2)
    assert "Traceback" not in said
    assert not (room.root / "argo").exists()
