"""A use case in production: two versions served by real processes, a gateway before them, and people who ask."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functional_helper import (
    PATIENCE_S,
    ending,
    flowyard_here,
    quick_flowyard,
    start_flowyard,
    wait_for_text,
    wait_until,
)
from gateway_helper import KEY, Answered, ask
from places import DOCS

from flowyard.deploy.targets import open_target

__all__ = ["CURT", "FAILING", "KIND", "Greeting", "documented_commands"]

FLOW = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${polish.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs:
    deployment_name: small
    question: ${inputs.question}
  connection: my_model
  api: chat
- name: polish
  type: python
  source: {type: code, path: polish.py}
  inputs:
    text: ${ask.output}
"""
POLISH = """\
from promptflow.core import tool


@tool
def polish(text: str):
    return text.strip()
"""
CURT = ("You answer in one word.", POLISH)
KIND = ("You answer kindly.", POLISH)
FAILING = (
    "You answer kindly.",
    POLISH.replace("return", "if text[-2] in '13579':\n        raise ValueError(text)\n    return"),
)
"""Versions of the flow: the prompt, and what is done to the answer. The last fails for every second question."""

SIMULATION = """\
seed: 3
rules:
- {when: {system: one word}, reply: "No."}
- {when: {system: kindly, user: '(?P<number>\\d+)'}, reply: "Thank you for asking {{ match.number }}."}
"""
EXPERIMENT = """\
name: greeting
flow: flow
datasets:
- {name: questions, source: questions.jsonl, mappings: {question: "${data.question}"}}
"""
DISLIKED = """\
datasets:
- {name: disliked, source: "registry:disliked:1", mappings: {question: "${data.inputs.question}"}}
"""
DEPLOYMENT = """\
environments:
  dev: {target: local, approval: not_required, simulate: simulation.yaml, env: {FLOWYARD_SERVE_RECORDS: "${RECORDS}"}}
  test: {target: local, approval: not_required, simulate: simulation.yaml, env: {FLOWYARD_SERVE_RECORDS: "${RECORDS}"}}
"""
AB = """\
name: greeting
arms: {control: a, treatment: b}
primary: {metric: feedback, expected: 0.3, smallest: 0.3}
guardrails:
- {metric: error_rate, most: 0.05, most_times_control: 3}
min_duration: 0s
min_sample: 60
ramp: [{share: 25, min_duration: 0s, min_sample: 10}, {share: 50, min_duration: 0s}]
decide: approval
"""
_IN_PROCESS = (("deploy", "status"), ("ab", "status"), ("ab", "start"))
"""Commands that start no process, beside those that never do."""


def documented_commands(page: str, heading: str) -> list[list[str]]:
    """The words of each command in the code of a section of a page, without ``flowyard``."""
    _, _, section = (DOCS / page).read_text("utf-8").partition(f"## {heading}\n")
    code = section.partition("\n## ")[0].split("```")[1::2]
    lines = [line for part in code for line in part.splitlines() if line.startswith("flowyard ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@dataclass
class Greeting:
    """The use case with a home of its own. People's minds are made up by their number: runs are alike."""

    root: Path
    url: str = ""
    control_url: str = ""
    asked: int = 0
    answered: int = 0
    arms: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        files = {
            "simulation.yaml": SIMULATION,
            "experiment.yaml": EXPERIMENT,
            "experiment.disliked.yaml": DISLIKED,
            "deployment.yaml": DEPLOYMENT,
            "questions.jsonl": '{"question": "How is 1?"}\n',
        }
        for name, text in files.items():
            (self.root / name).write_text(text)
        for name in ("flow", "records", "exposures"):
            (self.root / name).mkdir()

    @property
    def variables(self) -> dict[str, str]:
        home, records = str(self.root / "home"), str(self.root / "records")
        return {"FLOWYARD_HOME": home, "RECORDS": records, "GATEWAY_KEY": KEY, "FLOWYARD_USER": "ann"}

    def run(self, *words: str, code: int | None = 0, **environment: str) -> str:
        """Run a command; gives what it printed. ``code`` is the exit code it must have, None for any."""
        env = {**self.variables, **environment}
        if words[:2] in _IN_PROCESS:
            done = flowyard_here(*words, cwd=self.root, env=env)
        else:
            done = quick_flowyard(*words, cwd=self.root, env=env, timeout=2 * PATIENCE_S)
        assert code in (None, done.returncode), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def json(self, *words: str, code: int | None = 0, **environment: str) -> Any:
        return json.loads(self.run(*words, "--json", code=code, **environment))

    def register(self, version: tuple[str, str]) -> None:
        """Register a version of the flow; it is the next one."""
        system, polish = version
        (self.root / "flow" / "flow.dag.yaml").write_text(FLOW)
        (self.root / "flow" / "ask.jinja2").write_text(f"# system:\n{system}\n# user:\n{{{{ question }}}}\n")
        (self.root / "flow" / "polish.py").write_text(polish)
        self.run("registry", "register", "flow", "--name", "greeting")

    @contextmanager
    def gateway(self, words: list[str], first: str, second: str) -> Iterator[None]:
        """``gateway serve`` before these two addresses, and the rules of a test on it, while the block runs."""
        settings = {
            "name": "greeting",
            "listen": "127.0.0.1:0",
            "backends": {
                "a": {"url": first, "weight": 100, "version": "1"},
                "b": {"url": second, "weight": 0, "version": "2"},
            },
            "sticky": {"header": "x-user-id"},
            "salt": "the same people in the same arm each time",
            "exposures": "exposures",
            "state": "state",
            "control": {"listen": "127.0.0.1:0", "key": "${GATEWAY_KEY}"},
        }
        (self.root / "gateway.yaml").write_text(json.dumps(settings))
        ready = self.root / "gateway.ready"
        with ending(start_flowyard(*words, "--ready-file", ready, cwd=self.root, env=self.variables)) as process:
            self.url = wait_for_text(ready, PATIENCE_S)
            self.control_url = (self.root / "state" / "control.address").read_text("utf-8")
            split = {"gateway": self.control_url, "key": "${GATEWAY_KEY}"}
            (self.root / "ab.yaml").write_text(f"{AB}split: {json.dumps(split)}\n")
            yield
            process.terminate()
            assert process.wait(PATIENCE_S) == 0

    @contextmanager
    def watching(self, words: list[str]) -> Iterator[subprocess.Popen[str]]:
        """``ab decide --every``, which goes on until the test has ended."""
        with (
            (self.root / "watch.err").open("a") as said,
            ending(start_flowyard(*words, cwd=self.root, env=self.variables, stderr=said)) as process,
        ):
            yield process

    def visit(self, people: range) -> list[Answered]:
        """Each asks a question and says what they think of the answer; gives the answers once all is written down."""
        answers = [self._ask(person) for person in people]
        wait_until(self._is_written, "all records are on disk")
        return answers

    def weights(self) -> dict[str, float]:
        answer = ask(self.control_url, "GET", "/v1/gateway", None, {"authorization": f"Bearer {KEY}"})
        return {name: float(weight) for name, weight in answer.json()["weights"].items()}

    def _ask(self, person: int) -> Answered:
        user = {"x-user-id": f"person-{person}"}
        body = json.dumps({"question": f"How is {person}?"}).encode()
        answer = ask(self.url, "POST", "/score", body, user)
        self.asked += 1
        self.arms[person] = answer.arm
        if answer.status == 200:
            likes = 0.8 if "Thank you" in answer.json()["answer"] else 0.3
            said = {"thumbs": "up"} if random.Random(person).random() < likes else {"thumbs": "down", "label": "Well."}
            trace = {"traceparent": answer.headers["traceparent"]}
            heard = ask(self.url, "POST", "/feedback", json.dumps(said).encode(), {**user, **trace})
            assert heard.status == 200, heard.body
            self.answered += 1
        return answer

    def _is_written(self) -> bool:
        return self._lines("exposures") == self.asked and self._lines("records") == self.asked + self.answered

    def _lines(self, folder: str) -> int:
        return sum(file.read_bytes().count(b"\n") for file in (self.root / folder).glob("*.jsonl"))

    def clean_up(self) -> None:
        """Nothing that was deployed here runs any more."""
        home = Path(self.variables["FLOWYARD_HOME"])
        target = open_target("local", home, os.environ, {})
        for endpoint in (home / "deployments" / "local").glob("*"):
            target.remove(endpoint.name)
