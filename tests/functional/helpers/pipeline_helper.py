"""A repository with use cases, real git and a home of its own, and the pipelines run in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy_helper import GOLDEN
from functional_helper import Completed, flowyard, flowyard_here, one_node_flow
from git_helper import git
from monitor_helper import exchange

from flowyard.deploy.targets import open_target

TOOL = """\
import os

from promptflow.core import tool


@tool
def work(x: str):
    if os.environ.get("MOOD") == "bad":
        raise ValueError("in a bad mood")
    return f"%s {x}"
"""
EXPERIMENT = """\
name: {name}
flow: flow
datasets:
  - {{name: orders_{name}, source: ../../shared/orders.jsonl, mappings: {{x: "${{data.x}}"}}}}
gates:
  - error_rate <= 0.05
approval: {{timeout: 1h}}
"""
DEPLOYMENT = """\
environments:
  dev:
    target: local
    approval: not_required
    env: {MOOD: "${SHOP_MOOD}"}
    test: {file: sample-request.json, golden: golden.yaml, ready_s: 50}
  prod:
    target: local
    test: {file: sample-request.json, ready_s: 50}
"""
EVALUATOR = """\
evaluators:
  - name: length
    python: judges.py:length
    datasets: [{name: orders_shop, mappings: {answer: "${run.outputs.answer}"}}]
"""
JUDGE = "def length(answer):\n    return {'words': len(answer.split())}\n"


class Repository:
    """``use_case`` writes one that answers with a word; commands run at the top."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root.parent / "home"
        (root / "shared").mkdir(parents=True)
        self.write("shared/orders.jsonl", '{"x": "tea"}\n{"x": "milk"}\n')
        self.write(".gitignore", ".flowyard\n__pycache__\n")
        self.git("init", "-q", "-b", "development")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def use_case(self, name: str, word: str = "one", folder: str | None = None) -> str:
        folder = folder or f"cases/{name}"
        self.write(f"{folder}/experiment.yaml", EXPERIMENT.format(name=name))
        self.write(f"{folder}/deployment.yaml", DEPLOYMENT)
        self.write(f"{folder}/golden.yaml", GOLDEN)
        self.write(f"{folder}/sample-request.json", '{"x": "tea"}')
        self.write(f"{folder}/flow/flow.dag.yaml", one_node_flow({"x": "string"}))
        self.answer(folder, word)
        return folder

    def answer(self, folder: str, word: str) -> None:
        self.write(f"{folder}/flow/work.py", TOOL % word)

    def git(self, *words: str) -> str:
        return git(self.root, *words)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def __call__(self, *words: str | Path, cwd: Path | None = None, **environment: str) -> Completed:
        return flowyard(*words, cwd=cwd or self.root, env=self.variables(environment), timeout=600)

    def here(self, *words: str | Path, cwd: Path | None = None, **environment: str) -> Completed:
        """In this process: for what starts none."""
        return flowyard_here(*words, cwd=cwd or self.root, env=self.variables(environment))

    def variables(self, more: dict[str, str]) -> dict[str, str]:
        return {"FLOWYARD_HOME": str(self.home), "FLOWYARD_USER": "ann", "SHOP_MOOD": "good", **more}

    def run(self, pipeline: str, *words: str | Path, code: int = 0, **environment: str) -> Any:
        """The only use case's run of a pipeline, as JSON."""
        done = self("pipeline", "run", pipeline, *words, "--json", **environment)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        (found,) = json.loads(done.stdout)["usecases"]
        return found

    def answer_request(self, decision: str) -> str:
        (pending,) = json.loads(self.here("approval", "list", "--pending", "--json").stdout)
        assert self.here("approval", decision, pending["id"], "--reason", "seen").returncode == 0
        return str(pending["id"])

    def clean_up(self) -> None:
        """Nothing that was deployed here runs any more."""
        target = open_target("local", self.home, os.environ, {})
        for endpoint in (self.home / "deployments" / "local").glob("*"):
            target.remove(endpoint.name)


def production_records(repository: Repository, records: Sequence[Any]) -> str:
    """A use case ``shop`` whose gate is that answers have two words, and records that wait to be collected."""
    folder = repository.use_case("shop")
    experiment = repository.root / folder / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("gates:\n", f"{EVALUATOR}gates:\n  - words >= 2\n"))
    repository.write(f"{folder}/judges.py", JUDGE)
    repository.write("../records/a.jsonl", "".join(f"{json.dumps(each)}\n" for each in records))
    return folder


def collect(repository: Repository) -> None:
    """Take the records into the home folder."""
    assert repository.here("monitor", "collect", repository.root.parent / "records").returncode == 0


def evaluated_by_the_clock(repository: Repository, system: str) -> None:
    """Production's records in the home folder of the machines; on ``main`` their gate is reached, and not on
    ``development``.
    """
    folder = production_records(repository, [exchange(number, flow="shop", inputs={"x": "tea"}) for number in range(6)])
    collect(repository)
    repository.write("pipelines.yaml", f"home: {repository.home}\n")
    assert repository.here("pipeline", "generate", system).returncode == 0
    repository.commit()
    repository.git("branch", "main")
    experiment = repository.root / folder / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("words >= 2", "words >= 20"))
    repository.commit()


def states(run: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in run["stages"]}


def said(run: dict[str, Any], stage: str) -> str:
    return next(str(each["said"]) for each in run["stages"] if each["name"] == stage)
