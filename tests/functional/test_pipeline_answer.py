"""``flowyard pipeline answer``: what people say in a CI system is an answer by the rules of the ledger, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_helper import DEPLOYMENT, Repository

from flowyard.pipelines.log import FILES, PipelineLog
from flowyard.pipelines.use_cases.inputs import inputs_digest

POLICY = "approval: {timeout: 1h}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    folder = made.use_case("shop")
    made.write(f"{folder}/deployment.yaml", DEPLOYMENT.replace("    approval: not_required\n", ""))
    return made


def asked(repository: Repository, policy: str = POLICY) -> str:
    file = repository.root / "cases/shop/experiment.yaml"
    file.write_text(file.read_text().replace(POLICY, policy))
    words = ("release", "cases/shop", "--env", "dev", "--until", "approval", "--no-wait", "--json")
    done = repository.here(*words)
    assert done.returncode == 4, done.stderr
    (pending,) = json.loads(repository.here("approval", "list", "--json").stdout)
    return str(pending["id"])


def answer(repository: Repository, decision: str, by: str = "boss", code: int = 0) -> Any:
    where = ("--via", "azure-devops", "--evidence", "run=https://example.com/1", "--json")
    done = repository.here("pipeline", "answer", "dev", "cases/shop", "--by", by, "--decision", decision, *where)
    assert done.returncode == code, done.stderr
    (found,) = json.loads(done.stdout)["usecases"]
    return found


def test_nobody_was_asked(repository: Repository):
    assert answer(repository, "approve") == {"name": "shop", "request": None, "said": "nobody was asked for dev"}


def test_a_yes_counts_once_and_a_no_stays(repository: Repository):
    id_ = asked(repository)
    found = answer(repository, "approve")
    assert (found["request"], found["state"]) == (id_, "approved")
    assert answer(repository, "approve")["state"] == "approved"
    assert answer(repository, "reject")["state"] == "rejected"
    assert answer(repository, "approve", by="carl", code=4)["state"] == "rejected"
    (shown,) = json.loads(repository.here("approval", "list", "--json").stdout)
    assert [(each["by"], each["decision"], each["via"]) for each in shown["answers"]] == [
        ("boss", "approve", "azure-devops"),
        ("boss", "reject", "azure-devops"),
    ]


def test_a_yes_is_for_the_version_of_the_files_that_are_checked_out(repository: Repository):
    """Of two changes that ask one after the other in one home, a yes to the first is none to the second."""
    asking = ("release", "cases/shop", "--env", "dev", "--until", "approval", "--no-wait", "--json")
    log = PipelineLog(repository.home)
    for version, word in enumerate(("one", "two"), start=1):
        repository.answer("cases/shop", word)
        assert repository.here(*asking).returncode == 4
        files = {FILES: inputs_digest(repository.root, "cases/shop")}
        run = log.create("shop", env="dev", target="dev", by="ann", versions=files, steps=["register"])
        log.save(run.with_step("register", state="done", result={"version": version}))
    repository.answer("cases/shop", "one")
    found = answer(repository, "approve", code=4)
    listed = json.loads(repository.here("approval", "list", "--json").stdout)
    said = {each["subject"]["version"]: (each["id"] == found["request"], each["state"]) for each in listed}
    assert said == {1: (True, "void"), 2: (False, "pending")}


@pytest.mark.parametrize("policy", ["approval: {approvers: [zoe]}", "approval: {self_approval: false}"])
def test_a_yes_that_the_rules_do_not_count_waits_for_another(repository: Repository, policy: str):
    asked(repository, policy)
    by = "ann" if "self" in policy else "boss"
    assert answer(repository, "approve", by)["state"] == "pending"
    assert answer(repository, "approve", "zoe")["state"] == "approved"


def test_a_time_that_is_over_stays_over(repository: Repository):
    id_ = asked(repository, "approval: {timeout: 1s}")
    repository.here("approval", "wait", id_, "--poll", "0.1")
    assert answer(repository, "reject")["state"] == "timed_out"
    assert answer(repository, "approve", code=4)["state"] == "timed_out"


def test_a_job_that_begins_after_the_time_deploys_nothing(repository: Repository):
    """GitHub's reviewers may let it begin days later: a time that is over is a no, and people are asked anew."""
    first = asked(repository, "approval: {timeout: 1s}")
    repository.here("approval", "wait", first, "--poll", "0.1")
    answer(repository, "approve", code=4)
    again = repository.here("release", "cases/shop", "--env", "dev", "--until", "deploy", "--no-wait")
    assert again.returncode == 4, again.stderr
    states = {each["id"]: each["state"] for each in json.loads(repository.here("approval", "list", "--json").stdout)}
    assert states.pop(first) == "timed_out"
    assert "approved" not in states.values()
    assert "production@dev" not in repository.here("registry", "show", "shop", "--json").stdout


def test_only_those_of_which_people_are_asked_are_planned(repository: Repository):
    words = ("--asking", "--for", "azure-devops", "--json")
    assert list(json.loads(repository.here("pipeline", "plan", "dev", *words).stdout)) == ["shop"]
    assert repository.here("pipeline", "plan", "pr", *words).stdout == "{}\n"
    repository.write("cases/shop/deployment.yaml", DEPLOYMENT)
    assert repository.here("pipeline", "plan", "dev", *words).stdout == "{}\n"
