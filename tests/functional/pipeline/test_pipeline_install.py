"""``flowyard pipeline install``: what the flows of a use case require is there before its stages run."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from environments_helper import make_wheel
from functional_helper import one_node_flow
from pipeline_helper import Repository

from flowyard.pipelines.use_cases.packages import PYTEST


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A flow that names its requirements, and an evaluator outside of the use case that has its own."""
    made = Repository(tmp_path / "repository")
    made.use_case("shop")
    flow = one_node_flow({"x": "string"})
    made.write("cases/shop/flow/flow.dag.yaml", f"{flow}environment: {{python_requirements_txt: needs.txt}}\n")
    made.write("cases/shop/flow/needs.txt", "promptflow\nchairlib==1.0\n-c limits.txt\n")
    made.write("cases/shop/flow/limits.txt", "tablelib<3\n")
    made.write("cases/shop/env.yaml", "evaluator: ../../shared/judge\n")
    made.write("shared/judge/requirements.txt", "tablelib  # the newest\npromptflow-tools\n")
    made.write("shared/other/requirements.txt", "nobody-needs-this\n")
    made.write("cases/shop/tests/test_own.py", "def test_own(): pass\n")
    return made


def test_what_is_required_is_what_flows_name(repository: Repository):
    done = repository.here("pipeline", "install", "cases/shop", "--print")
    assert (done.returncode, done.stdout.split()) == (0, ["chairlib==1.0", "tablelib", PYTEST])
    repository.write("cases/shop/flow/needs.txt", "chairlib @ https://ann:s3cret@wheels.example/chairlib-1.0.zip\n")
    assert "s3cret" not in repository.here("pipeline", "install", "cases/shop", "--print").stdout
    repository.write("cases/shop/flow/needs.txt", "chairlib = 1\n")
    refused = repository.here("pipeline", "install", "cases/shop")
    assert (refused.returncode, "needs.txt:1" in refused.stderr) == (2, True)
    assert repository.here("pipeline", "install", "cases/nowhere").returncode == 2


def test_pip_installs_it_beside_flowyard(repository: Repository, tmp_path: Path):
    wheels, report = tmp_path / "wheels", tmp_path / "report.json"
    wheels.mkdir()
    for name, version in (("chairlib", "1.0"), ("tablelib", "2.5"), ("tablelib", "3.0")):
        make_wheel(wheels, name, version)
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_DRY_RUN": "1", "PIP_REPORT": str(report)}
    done = repository("pipeline", "install", "cases/shop", **pip)
    assert done.returncode == 0, done.stderr
    found = {
        each["metadata"]["name"]: each["metadata"]["version"] for each in json.loads(report.read_text())["install"]
    }
    assert found == {"chairlib": "1.0", "tablelib": "2.5"}, "flowyard and pytest are there already"
    repository.write("shared/judge/requirements.txt", "chairlib==2.0\n")
    refused = repository("pipeline", "install", "cases/shop", **pip)
    assert (refused.returncode, "have to agree" in refused.stderr) == (5, True)


def test_repositories_and_pipelines_have_one_pytest():
    listed = files("flowyard.scaffold") / "repository" / "requirements.txt"
    assert PYTEST in listed.read_text("utf-8").splitlines()
