"""Generated Jenkinsfiles, run: a gate that is missed, people who say no, nothing or yes, and a served endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_helper import ask
from jenkins_runner import JenkinsRunner
from pipeline_helper import DEPLOYMENT, Repository

KEY = base64.b64encode(b"by which answers are sealed, 32b").decode()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    folder = made.use_case("shop")
    made.write(f"{folder}/deployment.yaml", DEPLOYMENT.replace("    approval: not_required\n", ""))
    made.write("pipelines.yaml", "secrets: {dev: [FLOWYARD_APPROVAL_KEY]}\n")
    assert made.here("pipeline", "generate", "jenkins").returncode == 0
    made.commit()
    yield made
    made.clean_up()


@pytest.fixture
def jenkins(repository: Repository, tmp_path: Path) -> JenkinsRunner:
    known = {"SHOP_MOOD": "good"}
    return JenkinsRunner(repository.root, tmp_path / "jenkins", credentials={"FLOWYARD_APPROVAL_KEY": KEY}, known=known)


def ledger(repository: Repository, jenkins: JenkinsRunner, machine: str) -> Any:
    """All requests of the home folder that is on a machine."""
    repository.home = jenkins.sources[machine] / ".flowyard"
    return json.loads(repository.here("approval", "list", "--json", FLOWYARD_APPROVAL_KEY=KEY).stdout)


def test_gate_missed_refused_not_answered_and_approved(repository: Repository, jenkins: JenkinsRunner):
    commit = repository.git("rev-parse", "HEAD")
    jenkins.answer = lambda: pytest.fail("nobody is asked about what missed its gates")
    assert jenkins.run("dev", commit, MOOD="bad") == "FAILURE"
    assert "[exit code 3]" in jenkins.text
    assert {name for name, said in jenkins.stages.items() if said == "SKIPPED"} == {"register", "ask", "people", "cd"}
    assert {"report.junit.xml"} <= {each.name for each in jenkins.published}, "told after a no, too"
    assert ledger(repository, jenkins, "ci") == []

    jenkins.answer = str  # nobody said yes: a no and the end of the hour stop a build in the same way
    for build in (lambda: jenkins.run("dev", commit), lambda: jenkins.again("people")):
        assert build() == "ABORTED"
        assert (jenkins.stages["ci"], jenkins.stages["people"]) == ("SUCCESS", "ABORTED"), jenkins.text
        (asked,) = ledger(repository, jenkins, f"after{jenkins.builds}")
        assert (asked["state"], [each["by"] for each in asked["answers"]]) == ("rejected", ["input of Jenkins"])
        assert asked["answers"][0]["evidence"] == {"run": "https://ci.example.com/job/1/"}
        assert not (repository.home / "deployments").exists()

    jenkins.answer = lambda: "bob"
    assert jenkins.again("people") == "SUCCESS", jenkins.text
    (asked,) = ledger(repository, jenkins, "cd")
    assert [(each["by"], each["via"], each["decision"]) for each in asked["answers"]] == [("bob", "jenkins", "approve")]
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=KEY).returncode == 0
    status = repository.here("deploy", "status", jenkins.sources["cd"] / "cases/shop", "--env", "dev", "--json")
    assert ask(json.loads(status.stdout)["address"]).startswith("one")
    assert {"report.junit.xml", "integration.junit.xml"} <= {each.name for each in jenkins.published}
    assert KEY not in jenkins.text


def test_a_build_that_touches_no_use_case(repository: Repository, jenkins: JenkinsRunner):
    before = repository.git("rev-parse", "HEAD")
    repository.write("README.md", "x\n")
    jenkins.answer = lambda: pytest.fail("there is nothing to ask about")
    said = jenkins.run("dev", repository.commit(), GIT_PREVIOUS_SUCCESSFUL_COMMIT=before)
    assert said == "SUCCESS", jenkins.text
    assert jenkins.stages["people"] == "SKIPPED"
    assert "No use case is touched." in jenkins.text
