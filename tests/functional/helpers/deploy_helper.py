"""A use case that can be deployed, somebody who asks its endpoint all the time, and what is left of it taken away."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from functional_helper import Completed, flowyard_here, one_node_flow, quick_flowyard

from flowyard.deploy.targets import open_target

TOOL = """\
from promptflow.core import tool


@tool
def work(x: str):
    return f"%s {x}"
"""
EXPERIMENT = """\
name: shop
flow: flow
datasets:
  - {name: orders, source: orders.jsonl, mappings: {x: "${data.x}"}}
gates:
  - error_rate <= 0.05
approval: {timeout: 1h}
"""
DEPLOYMENT = """\
environments:
  dev:
    target: local
    endpoint: shop-dev
    approval: not_required
    env: {GREETING: "${SHOP_GREETING}"}
    test: {file: sample-request.json, golden: golden.yaml, ready_s: 50}
  prod:
    target: local
    test: {file: sample-request.json, ready_s: 50}
"""
GOLDEN = """\
cases:
  - name: echo
    request: {x: tea}
    expect:
      - {type: contains, output: out, expected: tea}
      - {type: contains_any, output: out, expected: [one, two, three]}
"""


class Shop:
    """The use case ``shop`` with a home of its own; ``write_flow`` makes another version of its flow."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root.parent / "home"
        root.mkdir()
        (root / "experiment.yaml").write_text(EXPERIMENT)
        (root / "deployment.yaml").write_text(DEPLOYMENT)
        (root / "orders.jsonl").write_text('{"x": "tea"}\n{"x": "milk"}\n')
        (root / "golden.yaml").write_text(GOLDEN)
        (root / "sample-request.json").write_text('{"x": "tea"}')

    def __call__(self, *words: str | Path, **environment: str) -> Completed:
        if words[:2] == ("deploy", "status"):  # it starts no process
            return self.here(*words, **environment)
        return quick_flowyard(*words, cwd=self.root, env={**self.variables(), **environment}, timeout=240)

    def here(self, *words: str | Path, **environment: str) -> Completed:
        """Carry out a command in this process."""
        return flowyard_here(*words, cwd=self.root, env={**self.variables(), **environment})

    def variables(self) -> dict[str, str]:
        """What commands find in their environment."""
        return {"FLOWYARD_HOME": str(self.home), "SHOP_GREETING": "hi", "FLOWYARD_USER": "ann"}

    def json(self, *words: str | Path, code: int = 0, **environment: str) -> Any:
        done = self(*words, "--json", **environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout)

    def register(self, word: str, tool: str = TOOL) -> None:
        """Register a version whose answers begin with ``word``."""
        self.write_flow(word, tool)
        self.json("registry", "register", "flow", "--name", "shop")

    def write_flow(self, word: str, tool: str = TOOL) -> None:
        """Have the flow's files answer like that."""
        (self.root / "flow").mkdir(exist_ok=True)
        (self.root / "flow" / "flow.dag.yaml").write_text(one_node_flow({"x": "string"}))
        (self.root / "flow" / "work.py").write_text(tool % word if "%s" in tool else tool)

    def deploy(self, *words: str, env: str = "dev", code: int = 0) -> Any:
        return self.json("deploy", "apply", ".", "--env", env, *words, code=code)

    def status(self, env: str = "dev") -> Any:
        return self.json("deploy", "status", ".", "--env", env)

    def alias(self, env: str = "dev") -> int | None:
        for version in self.json("registry", "show", "shop")["versions"]:
            if f"production@{env}" in version["aliases"]:
                return int(version["version"])
        return None

    def approve(self, label: str, env: str = "prod") -> None:
        asked = self.json("approval", "request", label, "--env", env, "--target", "local")
        self.json("approval", "approve", asked["id"], "--reason", "seen")

    def clean_up(self) -> None:
        """Nothing that was deployed here runs any more."""
        target = open_target("local", self.home, os.environ, {})
        for endpoint in (self.home / "deployments" / "local").glob("*"):
            target.remove(endpoint.name)


def ask(address: str, headers: Mapping[str, str] = MappingProxyType({})) -> str:
    """What the endpoint answers; raises when it does not."""
    sent = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"{address}/score", b'{"x": "tea"}', sent)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return str(json.load(answer)["out"])
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"HTTP {error.code}: {error.read()!r}") from None


@contextmanager
def asked_all_the_time(address: str, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[list[str]]:
    """The answers that a client gets who asks without a pause; a failed request fails the test."""
    answers: list[str] = []
    failures: list[str] = []
    stop, begun = threading.Event(), threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                answers.append(ask(address, headers))
            except (OSError, ValueError, KeyError) as error:
                failures.append(repr(error))
            begun.set()
            stop.wait(0.01)  # leaves the machine to those that are tested

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(60)
        yield answers
    finally:
        stop.set()
        thread.join()
    assert failures == []
