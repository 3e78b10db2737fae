"""Generated Jenkinsfiles, run: a gate that is missed, people who say no, nothing or yes, and a served endpoint."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_helper import ask
from jenkins_runner import JenkinsRunner
from pipeline_helper import DEPLOYMENT, Repository, evaluated_by_the_clock

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


def served(repository: Repository, jenkins: JenkinsRunner, environment: str) -> str:
    """What the endpoint says that a build deployed."""
    use_case = jenkins.sources["cd"] / "cases/shop"
    status = repository.here("deploy", "status", use_case, "--env", environment, "--json")
    return ask(json.loads(status.stdout)["address"])


def version(repository: Repository) -> Any:
    """The one that there is."""
    (found,) = json.loads(repository.here("registry", "show", "shop", "--json").stdout)["versions"]
    return found


def test_from_a_merge_to_production(repository: Repository, jenkins: JenkinsRunner, tmp_path: Path):
    """A no and the end of the hour stop a build in the same way: nobody said yes."""
    commit = repository.git("rev-parse", "HEAD")
    jenkins.answer = lambda: pytest.fail("nobody is asked about what missed its gates")
    assert jenkins.run("dev", commit, MOOD="bad") == "FAILURE"
    assert "[exit code 3]" in jenkins.text
    assert {name for name, said in jenkins.stages.items() if said == "SKIPPED"} == {"register", "ask", "people", "cd"}
    assert {"report.junit.xml"} <= {each.name for each in jenkins.published}, "told after a no, too"
    assert ledger(repository, jenkins, "ci") == []

    jenkins.answer = str
    assert jenkins.run("dev", commit) == "ABORTED"
    assert (jenkins.stages["ci"], jenkins.stages["people"]) == ("SUCCESS", "ABORTED"), jenkins.text
    (asked,) = ledger(repository, jenkins, f"after{jenkins.builds}")
    assert (asked["state"], [each["by"] for each in asked["answers"]]) == ("rejected", ["input of Jenkins"])
    assert asked["answers"][0]["evidence"] == {"run": "https://ci.example.com/job/1/"}
    assert not (repository.home / "deployments").exists()

    jenkins.answer = lambda: "bob"
    jenkins.left = {".flowyard/reports/tea/old.junit.xml": "<testsuite/>", ".flowyard/pipelines/old.json": "{}"}
    assert jenkins.run("dev", commit) == "SUCCESS", jenkins.text
    assert not (jenkins.sources["cd"] / ".flowyard/pipelines/old.json").exists(), "of a build before"
    (asked,) = ledger(repository, jenkins, "cd")
    assert [(each["by"], each["via"], each["decision"]) for each in asked["answers"]] == [("bob", "jenkins", "approve")]
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=KEY).returncode == 0
    assert served(repository, jenkins, "dev").startswith("one")
    told = {each.name for each in jenkins.published}
    assert {"report.junit.xml", "integration.junit.xml"} <= told
    assert "old.junit.xml" not in told
    assert KEY not in jenkins.text
    _promote(repository, jenkins, tmp_path / "machines-own-home")


def _promote(repository: Repository, jenkins: JenkinsRunner, home: Path) -> None:
    """Records are on the machine from now on, with what dev made of them."""
    delivered = version(repository)
    assert "production@dev" in delivered["aliases"]
    repository.clean_up()
    shutil.copytree(repository.home, home, ignore=shutil.ignore_patterns("deployments", "reports"))
    repository.write("pipelines.yaml", f"secrets: {{prod: [FLOWYARD_APPROVAL_KEY]}}\nhome: {home}\n")
    assert repository.here("pipeline", "generate", "jenkins").returncode == 0
    commit = repository.commit()
    repository.home = home

    assert jenkins.run("prod", commit, BRANCH_NAME="development") == "SUCCESS"
    assert set(jenkins.stages.values()) == {"SKIPPED"}, "only main is promoted"
    assert jenkins.run("prod", commit, BRANCH_NAME="main") == "SUCCESS", jenkins.text
    promoted = version(repository)
    assert {"production@dev", "production@prod"} <= set(promoted["aliases"])
    assert promoted["digest"] == delivered["digest"], "never registered again"
    assert served(repository, jenkins, "prod").startswith("one")
    assert "old.junit.xml" not in {each.name for each in jenkins.published}, "reports are of this build only"
    assert KEY not in jenkins.text


def test_a_change_of_a_fork_reaches_its_gate_without_secrets(repository: Repository, jenkins: JenkinsRunner):
    """With the secret, which puts the flow in a bad mood, it would miss its gate."""
    repository.write("pipelines.yaml", "secrets: {pr: [MOOD]}\n")
    assert repository.here("pipeline", "generate", "jenkins").returncode == 0
    repository.commit()
    repository.git("checkout", "-q", "-b", "feature/one")
    repository.write("cases/shop/notes.txt", "x\n")
    jenkins.credentials = {"MOOD": "bad"}
    fork = {"BRANCH_NAME": "PR-7", "CHANGE_ID": "7", "CHANGE_TARGET": "development", "CHANGE_FORK": "mallory"}
    assert jenkins.run("pr", repository.commit(), **fork) == "SUCCESS", jenkins.text
    assert [jenkins.stages[each] for each in ("validate", "experiment", "gate")] == ["SUCCESS"] * 3
    assert {"report.junit.xml", "validate.junit.xml"} <= {each.name for each in jenkins.published}


def test_only_releases_of_this_repository_come_to_main(repository: Repository, jenkins: JenkinsRunner):
    commit = repository.git("rev-parse", "HEAD")
    to_main = {"BRANCH_NAME": "PR-8", "CHANGE_ID": "8", "CHANGE_TARGET": "main"}
    assert jenkins.run("pr", commit, **to_main, CHANGE_BRANCH="feature/one") == "FAILURE"
    assert "Only branches that begin with release/ are merged there." in jenkins.text
    assert jenkins.run("pr", commit, **to_main, CHANGE_BRANCH="release/1", CHANGE_FORK="mallory") == "FAILURE"
    assert "Only branches of this repository are merged there." in jenkins.text


def test_production_is_evaluated_by_the_clock(tmp_path: Path):
    repository = Repository(tmp_path / "repository")
    evaluated_by_the_clock(repository, "jenkins")
    jenkins = JenkinsRunner(repository.root, tmp_path / "jenkins")
    commit = repository.git("rev-parse", "main")
    assert jenkins.run("post", commit, BRANCH_NAME="main") == "SUCCESS", jenkins.text
    missed = repository.git("rev-parse", "development")
    assert jenkins.run("post", missed, BRANCH_NAME="main", GIT_PREVIOUS_SUCCESSFUL_COMMIT=missed) == "FAILURE"
    assert "[exit code 3]" in jenkins.text, "of all use cases, whatever changed"


def test_a_build_that_touches_no_use_case(repository: Repository, jenkins: JenkinsRunner):
    before = repository.git("rev-parse", "HEAD")
    repository.write("README.md", "x\n")
    jenkins.answer = lambda: pytest.fail("there is nothing to ask about")
    said = jenkins.run("dev", repository.commit(), GIT_PREVIOUS_SUCCESSFUL_COMMIT=before)
    assert said == "SUCCESS", jenkins.text
    assert jenkins.stages["people"] == "SKIPPED"
    assert "No use case is touched." in jenkins.text

    for elsewhere in ({"BRANCH_NAME": "feature/x"}, {"BRANCH_NAME": "PR-7", "CHANGE_TARGET": "development"}):
        assert jenkins.run("dev", before, **elsewhere) == "SUCCESS"
        assert set(jenkins.stages.values()) == {"SKIPPED"}, "only its branch is built"
