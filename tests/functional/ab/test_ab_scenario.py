"""From two versions in production to one, through real processes: as docs/ab.md says it, command by command."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from functional_helper import wait_until
from scenario_helper import CURT, FAILING, KIND, Greeting, documented_commands

SECTION = "From two versions to one, in eight commands"


@pytest.fixture
def greeting(tmp_path: Path) -> Iterator[Greeting]:
    made = Greeting(tmp_path)
    try:
        yield made
    finally:
        made.clean_up()


@contextmanager
def served(greeting: Greeting, commands: list[list[str]], second: tuple[str, str]) -> Iterator[None]:
    """Version 1 and another one, both deployed, behind the gateway."""
    greeting.register(CURT)
    greeting.register(second)
    for words in commands[:2]:
        greeting.run(*words)
    addresses = [greeting.json("deploy", "status", ".", "--env", env)["address"] for env in ("dev", "test")]
    with greeting.gateway(commands[2], *addresses):
        yield


def pending(greeting: Greeting) -> list[tuple[str, int]]:
    """Which requests wait for an answer, and for which version."""
    found = greeting.json("approval", "list")
    return [(each["id"], each["subject"]["version"]) for each in found if each["state"] == "pending"]


def test_the_version_that_people_like_gets_all_and_the_old_one_goes(greeting: Greeting):
    commands = documented_commands("ab.md", SECTION)
    start, watch, approve, drain, remove, export, register, experiment = commands[3:]
    watch = [*watch[: watch.index("--every")], "--every", "0.3"]
    with served(greeting, commands, KIND):
        assert {each.arm for each in greeting.visit(range(20))} == {"a"}
        assert greeting.json(*start)["ramp"]["share"] == 25
        with greeting.watching(watch) as process:
            greeting.visit(range(100, 180))
            wait_until(lambda: greeting.weights()["b"] == 50, "the ramp rises", process)
            process.kill()
        before = dict(greeting.arms)
        with greeting.watching(watch) as process:
            greeting.visit(range(100, 360))
            said = greeting.root / "watch.err"
            wait_until(lambda: "flowyard approval approve" in said.read_text(), "it asks", process)
            ((request, version),) = pending(greeting)
            assert version == 2
            assert [person for person in before if before[person] == "b" != greeting.arms[person]] == [], "sticky"
            assert greeting.weights() == {"a": 50, "b": 50}, "nobody has said yes"
            greeting.run(*(request if word == "ID" else word for word in approve), FLOWYARD_USER="bob")
            assert process.wait(240) == 0
        ended = greeting.json("ab", "status", ".")
        assert (ended["ramp"]["end"], ended["primary"]["verdict"]) == ("promote", "better")
        assert [each["treatment_share"] for each in ended["epochs"][:2]] == [0.25, 0.5]
        counted = sum(each[arm]["requests"] for each in ended["epochs"] for arm in ("control", "treatment"))
        assert counted == greeting.asked - 20, "what is said of answers is none of the requests that are counted"
        greeting.run(*drain)
        greeting.run(*remove)
        last = greeting.visit(range(400, 420))
        assert [(each.status, each.arm) for each in last] == [(200, "b")] * 20
        greeting.run("monitor", "collect", "records", "exposures")
        the_next_experiment(greeting, export, register, experiment)


def the_next_experiment(greeting: Greeting, export: list[str], register: list[str], experiment: list[str]) -> None:
    """What people disliked, looked through by a person, is what it runs on."""
    found = greeting.json(*export)["lines"]
    file = greeting.root / "disliked.csv"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert found == len(rows) > 40
    assert {(row["feedback"], row["label"]) for row in rows} == {("negative", "Well.")}
    rows[0] |= {"keep": "no"}
    rows[1] |= {"label": "Better."}
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    made = greeting.json(*register)
    assert (made["source"], made["lines"]) == ("registry:disliked:1", len(rows) - 1)
    path = Path(greeting.json("dataset", "show", "disliked:1")["path"])
    assert {"Well.", "Better."} == {json.loads(line)["label"] for line in path.read_text("utf-8").splitlines()}
    done = greeting.json(*experiment, FLOWYARD_SIMULATE="simulation.yaml")
    (run,) = done["runs"]
    assert run["lines"] == {"total": len(rows) - 1, "completed": len(rows) - 1, "failed": 0}


def test_a_version_that_fails_is_rolled_back_alone_within_two_looks(greeting: Greeting):
    commands = documented_commands("ab.md", SECTION)
    start, watch = commands[3:5]
    once = watch[: watch.index("--every")]
    with served(greeting, commands, FAILING):
        greeting.run(*start)
        looks = 0
        while greeting.weights()["b"] and looks < 2:
            answers = greeting.visit(range(100 * looks, 100 * looks + 60))
            assert {each.arm for each in answers if each.status != 200} == {"b"}
            looks += 1
            greeting.run(*once, code=None)
        assert greeting.weights() == {"a": 100, "b": 0}
        after = greeting.visit(range(60))
        assert [(each.status, each.arm) for each in after] == [(200, "a")] * 60
        ended = greeting.json("ab", "status", ".", code=3)
        assert (ended["ramp"]["end"], ended["state"]) == ("rollback", "rollback")
        assert ended["rule"].startswith("guardrail error_rate")
        greeting.run(*(word.replace("dev", "test") for word in commands[7]))
