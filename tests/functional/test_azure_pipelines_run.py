"""Generated pipelines of Azure DevOps, run: from a pull request to an approved endpoint, and every way to a no."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure_pipeline_runner import AzurePipelineRunner
from comment_apis import TOKEN, CommentApis, comment_apis
from pipeline_helper import Repository

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ticket_triage"
KEY = base64.b64encode(bytes(range(32))).decode()
TEAM = {
    "Build.RequestedFor": "Ann",
    "Build.BuildId": "42",
    "System.CollectionUri": "https://dev.azure.com/shop/",
    "System.TeamProject": "project x",
    "System.TeamProjectId": "7",
}
DEPLOYMENT = """\
environments:
  dev:
    target: local
    simulate: simulation.yaml
    test: {file: sample-request.json, golden: golden.yaml, ready_s: 50}
"""
SETTINGS = """\
groups: {dev: shop-dev}
approvers: [boss@example.com]
"""


@pytest.fixture
def apis() -> Iterator[CommentApis]:
    with comment_apis() as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """The example, deployed to the environment dev after a yes, with generated pipelines."""
    made = Repository(tmp_path / "repository")
    folder = made.root / "cases" / "triage"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".flowyard", "__pycache__"))
    shutil.copy(folder / "experiment.dev.yaml", folder / "experiment.pr.yaml")
    made.write("cases/triage/deployment.yaml", DEPLOYMENT)
    made.write("pipelines.yaml", SETTINGS)
    assert made.here("pipeline", "generate", "azure-devops").returncode == 0
    made.commit()
    yield made
    made.clean_up()


@pytest.fixture
def azure(repository: Repository, tmp_path: Path) -> AzurePipelineRunner:
    groups = {"shop-dev": {"FLOWYARD_APPROVAL_KEY": KEY}}
    return AzurePipelineRunner(repository.root, tmp_path / "agents", groups=groups)


def merged(repository: Repository) -> str:
    """A change of the use case, merged to development."""
    repository.git("checkout", "-q", "-b", "feature/one")
    repository.write("cases/triage/notes.txt", "x\n")
    repository.commit()
    repository.git("checkout", "-q", "development")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "feature/one")
    return repository.git("rev-parse", "HEAD")


def requests(repository: Repository, sources: Path) -> list[Any]:
    place = {"FLOWYARD_HOME": str(sources / ".flowyard"), "FLOWYARD_APPROVAL_KEY": KEY}
    done = repository.here("approval", "list", "--json", **place)
    listed: list[Any] = json.loads(done.stdout)
    return listed


def test_a_pull_request_passes_and_is_commented(repository: Repository, azure: AzurePipelineRunner, apis: CommentApis):
    repository.git("checkout", "-q", "-b", "feature/$(touch${IFS}pwned)")
    notes = repository.write("cases/triage/notes.txt", "x\n")
    commit = repository.commit()
    variables = {
        "System.PullRequest.TargetBranch": "refs/heads/development",
        "System.PullRequest.SourceBranch": "refs/heads/feature/$(touch${IFS}pwned)",
        "System.PullRequest.PullRequestId": "7",
        "System.CollectionUri": f"{apis.address}/",
        "Build.Repository.Id": "repo-id",
        "System.AccessToken": TOKEN,
    }
    done = azure.run("pr", commit, **{**TEAM, **variables})
    assert set(done.values()) == {"Succeeded"}, azure.text
    (thread,) = apis.threads
    assert "ticket_triage" in thread["comments"][0]["content"]
    assert "ticket_triage" in azure.summaries[0]
    assert {"report.junit.xml", "validate.junit.xml"} <= {each.name for each in azure.published}
    assert TOKEN not in azure.text
    assert not list(azure.folder.rglob("pwned"))

    to_main = azure.run("pr", commit, **{**TEAM, **variables, "System.PullRequest.TargetBranch": "refs/heads/main"})
    assert to_main["check.plan"] == "Failed"
    elsewhere = azure.run("dev", commit, **{**TEAM, "Build.SourceBranch": "refs/heads/feature/x"})
    assert elsewhere["ci.plan"] == "Failed", "whoever starts it on another branch deploys nothing"
    notes.unlink()
    repository.git("checkout", "-q", "development")
    nothing = azure.run("pr", repository.commit(), **{**TEAM, **variables})
    assert nothing["check.check"] == nothing["check.comment"] == "Skipped"


def test_merged_then_refused_not_answered_or_approved(repository: Repository, azure: AzurePipelineRunner):
    """Three ends of one run: each goes on with what the first stage kept."""
    outcomes = ("ci", "approval", "refused", "cd")
    for answer in ("reject", "nothing"):
        azure.answer = lambda said=answer: said  # type: ignore[misc]
        done = azure.again("approval") if azure.runs else azure.run("dev", merged(repository), **TEAM)
        assert [done[name] for name in outcomes] == ["Succeeded", "Failed", "Succeeded", "Skipped"], azure.text
        (asked,) = requests(repository, azure.sources["refused.record.ticket_triage"])
        assert asked["state"] == "rejected"
        (said,) = asked["answers"]
        assert (said["by"], said["via"]) == ("boss@example.com", "azure-devops")
        assert said["evidence"] == {"run": "https://dev.azure.com/shop/7/_build/results?buildId=42"}

    azure.answer = lambda: "approve"
    done = azure.again("approval")
    assert [done[name] for name in outcomes] == ["Succeeded", "Succeeded", "Skipped", "Succeeded"], azure.text
    sources = azure.sources["cd.cd.ticket_triage"]
    repository.home = sources / ".flowyard"
    (asked,) = requests(repository, sources)
    assert (asked["state"], asked["requested_by"]) == ("approved", "Ann")
    assert [each["by"] for each in asked["answers"]] == ["boss@example.com"]
    shown = json.loads(repository.here("registry", "show", "ticket_triage", "--json").stdout)
    (version,) = shown["versions"]
    assert {"production@dev", "approved@dev"} <= set(version["aliases"])
    status = repository.here("deploy", "status", sources / "cases/triage", "--env", "dev", "--json")
    assert json.loads(status.stdout)["address"]
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=KEY).returncode == 0
    assert {"report.junit.xml", "integration.junit.xml"} <= {each.name for each in azure.published}
    assert KEY not in azure.text
