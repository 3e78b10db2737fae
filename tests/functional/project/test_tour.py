"""The tour in the README, as somebody who reads it would take it: in an empty folder, one command after the other."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from functional_helper import (
    PATIENCE_S,
    clean_environment,
    command_line,
    ending,
    flowyard,
    flowyard_here,
    start_flowyard,
    wait_until,
)
from gateway_helper import ask
from places import ROOT

from flowyard.errors import ExitCode

ASKED_ID = re.compile(r"flowyard approval approve ([0-9a-f]+)")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def tour() -> list[list[str]]:
    """The words of its commands, without ``flowyard``."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## The tour\n")[2].partition("\n## ")[0]
    code = section.split("```")[1]
    return [shlex.split(line, comments=True) for line in code.splitlines() if line]


class Reader:
    """Who reads the README: types what it says, and reads what is printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"FLOWYARD_USER": "ann"}
        self.printed = ""
        self.going_on: list[tuple[str, subprocess.Popen[str]]] = []
        self.terminals = ExitStack()

    def type(self, words: list[str]) -> None:
        """What waits, or goes on, gets a terminal of its own."""
        if words[0] == "release":
            self._start(words, ASKED_ID)
        elif words[:2] == ["gateway", "serve"]:
            self._start(words, ADDRESS)
        elif words[:2] == ["approval", "approve"]:
            self._run([ASKED_ID.search(self.printed)[1] if word == "ID" else word for word in words])
            _, release = self.going_on.pop()
            assert release.wait(PATIENCE_S) == 0, self._said()
        else:
            self._run(words)

    def _run(self, words: list[str]) -> None:
        done = flowyard(*words, cwd=self.folder, env=self.env, timeout=PATIENCE_S)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        self.printed = done.stdout

    def _start(self, words: list[str], until: re.Pattern[str]) -> None:
        file = self.terminals.enter_context(
            (self.folder.parent / f"terminal{len(words)}.txt").open("w", encoding="utf-8")
        )
        process = start_flowyard(*words, cwd=self.folder, env=self.env, stdout=file, stderr=file)
        self.terminals.enter_context(ending(process))
        self.going_on.append((file.name, process))
        wait_until(lambda: bool(until.search(self._said())), f"{words}: {until.pattern}", process)
        self.printed = self._said()

    def _said(self) -> str:
        return Path(self.going_on[-1][0]).read_text("utf-8") if self.going_on else self.printed


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    folder = tmp_path / "empty"
    folder.mkdir()
    found = Reader(folder)
    try:
        yield found
    finally:
        found.terminals.close()
        for env in ("dev", "test"):
            words = command_line(["deploy", "remove", "triage", "--env", env])
            subprocess.run(words, cwd=folder, env=clean_environment(found.env), check=False, timeout=PATIENCE_S)


def user_asks(address: str, number: int) -> str:
    """A user asks the gateway and likes the answer; the arm that answered."""
    user, question = {"x-user-id": f"user{number}"}, {"text": "May I extend the loan of the cookbook?"}
    answer = ask(address, "POST", "/score", json.dumps(question).encode(), user)
    assert answer.status == 200, answer.body
    assert answer.json()["category"] == "loan"
    headers = {**user, "traceparent": answer.headers["traceparent"]}
    assert ask(address, "POST", "/feedback", b'{"rating": "up"}', headers).status == 200
    return answer.arm


def users_until_both_answered(address: str) -> None:
    arms: set[str] = set()
    for number in range(10, 1000):  # each user has version 2 with a chance of 10 %
        arms.add(user_asks(address, number))
        if arms == {"dev", "test"}:
            return
    raise AssertionError(f"only {arms} answered")


def test_the_tour_in_the_readme(reader: Reader):
    commands = tour()
    assert len(commands) <= 10
    assert {words[0] for words in commands} == {"flowyard"}
    address = ""
    for _, *words in commands:
        if words[:2] == ["ab", "decide"]:
            users_until_both_answered(address)
        reader.type(words)
        if words[:2] == ["gateway", "serve"]:
            address = ADDRESS.search(reader.printed)[0]
            assert {user_asks(address, number) for number in range(5)} == {"dev"}
    assert "continue" in reader.printed


def test_a_test_of_what_does_not_serve_is_not_written(tmp_path: Path):
    assert flowyard_here("new", "triage", cwd=tmp_path).returncode == 0
    words = ("ab", "init", "triage", "--control", "dev", "--treatment")
    nothing = flowyard_here(*words, "test", cwd=tmp_path)
    assert nothing.returncode == ExitCode.WRONG_INPUT
    assert "flowyard release triage --env dev" in nothing.stderr
    assert "Two environments are compared." in flowyard_here(*words, "dev", cwd=tmp_path).stderr
    assert not any((tmp_path / "triage" / name).exists() for name in ("ab.yaml", "gateway.yaml"))
    assert not (tmp_path / ".env").exists()
