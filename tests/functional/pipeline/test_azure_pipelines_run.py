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
from deploy_helper import ask
from pipeline_helper import DEPLOYMENT, Repository, evaluated_by_the_clock

KEY = base64.b64encode(bytes(range(32))).decode()
TEAM = {
    "Build.RequestedFor": "Ann",
    "Build.BuildId": "42",
    "System.CollectionUri": "https://dev.azure.com/shop/",
    "System.TeamProject": "project x",
    "System.TeamProjectId": "7",
}
BOSS = "boss@example.com"
MOOD = '    env: {MOOD: "${SHOP_MOOD}"}\n'
VARIABLES = "variables: {dev: [SHOP_MOOD], prod: [SHOP_MOOD]}\n"
SETTINGS = f"groups: {{dev: shop-dev, prod: shop-prod}}\napprovers: [{BOSS}]\n{VARIABLES}"
GROUP = {"FLOWYARD_APPROVAL_KEY": KEY, "SHOP_MOOD": "good"}


@pytest.fixture
def apis() -> Iterator[CommentApis]:
    with comment_apis() as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """A use case that people are asked about in each environment, with generated pipelines."""
    made = Repository(tmp_path / "repository")
    folder = made.use_case("shop")
    deployment = DEPLOYMENT.replace("    approval: not_required\n", "").replace("  prod:\n", f"  prod:\n{MOOD}")
    made.write(f"{folder}/deployment.yaml", deployment)
    made.write("pipelines.yaml", SETTINGS)
    assert made.here("pipeline", "generate", "azure-devops").returncode == 0
    made.commit()
    made.git("branch", "main")
    yield made
    made.clean_up()


@pytest.fixture
def azure(repository: Repository, tmp_path: Path) -> AzurePipelineRunner:
    groups = {"shop-dev": GROUP, "shop-prod": GROUP}
    return AzurePipelineRunner(repository.root, tmp_path / "agents", groups=groups)


def merged(repository: Repository, branch: str, base: str) -> str:
    """The commit that a merge makes."""
    repository.git("checkout", "-q", base)
    repository.git("merge", "-q", "--no-ff", "-m", "merge", branch)
    return repository.git("rev-parse", "HEAD")


def requests(repository: Repository) -> list[Any]:
    """All of the ledger, the newest first."""
    done = repository.here("approval", "list", "--json", FLOWYARD_APPROVAL_KEY=KEY)
    listed: list[Any] = json.loads(done.stdout)
    return listed


def ends(done: dict[str, str], first: str) -> list[str]:
    """What the stages came to."""
    return [done[name] for name in (first, "approval", "refused", "cd")]


def test_a_pull_request_misses_its_gate_passes_and_is_commented(
    repository: Repository, azure: AzurePipelineRunner, apis: CommentApis
):
    repository.git("checkout", "-q", "-b", "feature/$(touch${IFS}pwned)")
    notes = repository.write("cases/shop/notes.txt", "x\n")
    commit = repository.commit()
    variables = {
        **TEAM,
        "System.PullRequest.TargetBranch": "refs/heads/development",
        "System.PullRequest.SourceBranch": "refs/heads/feature/$(touch${IFS}pwned)",
        "System.PullRequest.PullRequestId": "7",
        "System.CollectionUri": f"{apis.address}/",
        "Build.Repository.Id": "repo-id",
        "System.AccessToken": TOKEN,
    }
    azure.environment = {"MOOD": "bad"}
    missed = azure.run("pr", commit, **variables)
    assert (missed["check.check"], missed["check.comment"], missed["check"]) == ("Failed", "Succeeded", "Failed")
    assert "[exit code 3]" in azure.text
    (thread,) = apis.threads
    assert thread["comments"][0]["content"].startswith("<!-- flowyard pipeline: pr -->\n## ❌")
    assert "❌" in azure.summaries[0]

    azure.environment = {}
    passed = azure.run("pr", commit, **variables)
    assert set(passed.values()) == {"Succeeded"}, azure.text
    assert apis.threads == [thread], "one thread, whose comment is changed"
    assert thread["comments"][0]["content"].startswith("<!-- flowyard pipeline: pr -->\n## ✅")
    assert {"report.junit.xml", "validate.junit.xml"} <= {each.name for each in azure.published}
    assert TOKEN not in azure.text
    assert not list(azure.folder.rglob("pwned"))

    to_main = azure.run("pr", commit, **{**variables, "System.PullRequest.TargetBranch": "refs/heads/main"})
    assert to_main["check.plan"] == "Failed"
    elsewhere = azure.run("dev", commit, **{**TEAM, "Build.SourceBranch": "refs/heads/feature/x"})
    assert elsewhere["ci.plan"] == "Failed", "whoever starts it on another branch deploys nothing"
    notes.unlink()
    repository.git("checkout", "-q", "development")
    nothing = azure.run("pr", repository.commit(), **variables)
    assert nothing["check.check"] == nothing["check.comment"] == "Skipped"


def test_from_a_merge_to_production(repository: Repository, azure: AzurePipelineRunner, tmp_path: Path):
    """What is approved in dev is promoted by its digest; a run has several ends, which go on with its first stage."""
    _deliver_to_dev(repository, azure)
    shown = json.loads(repository.here("registry", "show", "shop", "--json").stdout)
    (delivered,) = shown["versions"]
    assert {"production@dev", "approved@dev"} <= set(delivered["aliases"])

    commit = _release(repository, azure, tmp_path / "machines-own-home")
    azure.answer = lambda: "nothing"
    assert ends(azure.run("prod", commit, **TEAM), "evaluate") == ["Succeeded", "Failed", "Succeeded", "Skipped"]
    azure.answer = lambda: "approve"
    late = azure.again("approval")
    assert ends(late, "evaluate") == ["Succeeded", "Succeeded", "Skipped", "Failed"], "a no in the ledger is final"
    assert "[exit code 4]" in azure.text
    asked = [each for each in requests(repository) if each["subject"]["environment"] == "prod"]
    assert [each["state"] for each in asked] == ["rejected"]
    assert "production@prod" not in _version(repository)["aliases"]

    azure.answer = lambda: "approve"
    azure.groups["shop-prod"] = {**GROUP, "SHOP_MOOD": "bad"}
    broken = azure.run("prod", commit, **TEAM)
    assert ends(broken, "evaluate") == ["Succeeded", "Succeeded", "Skipped", "Failed"], azure.text
    assert "[exit code 1]" in azure.text, "its smoke test fails"
    assert "production@prod" not in _version(repository)["aliases"]
    azure.groups["shop-prod"] = GROUP
    assert azure.again("cd")["cd"] == "Succeeded", azure.text
    served = _version(repository)
    assert {"production@dev", "production@prod"} <= set(served["aliases"])
    assert served["digest"] == delivered["digest"], "promoted, and never registered again"
    status = repository.here("deploy", "status", "cases/shop", "--env", "prod", "--json")
    assert ask(json.loads(status.stdout)["address"]).startswith("one")
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=KEY).returncode == 0
    assert KEY not in azure.text


def test_production_is_evaluated_by_the_clock(tmp_path: Path):
    repository = Repository(tmp_path / "repository")
    evaluated_by_the_clock(repository, "azure-devops")
    azure = AzurePipelineRunner(repository.root, tmp_path / "agents")
    missed = azure.run("post", repository.git("rev-parse", "development"), **TEAM)
    assert missed == {
        "monitor.plan": "Succeeded",
        "monitor.monitor.shop": "Failed",
        "monitor.monitor": "Failed",
        "monitor": "Failed",
    }
    assert "[exit code 3]" in azure.text
    assert "shop · post" in azure.summaries[0], "told after a no, too"


def _deliver_to_dev(repository: Repository, azure: AzurePipelineRunner) -> None:
    repository.git("checkout", "-q", "-b", "feature/one")
    repository.write("cases/shop/notes.txt", "x\n")
    repository.commit()
    commit = merged(repository, "feature/one", "development")
    azure.environment = {"MOOD": "bad"}
    azure.answer = lambda: pytest.fail("nobody is asked about what missed its gates")
    assert ends(azure.run("dev", commit, **TEAM), "ci") == ["Failed", "Skipped", "Skipped", "Skipped"]
    assert "[exit code 3]" in azure.text

    azure.environment = {}
    azure.answer = lambda: "reject"
    done = azure.run("dev", commit, **TEAM)
    assert ends(done, "ci") == ["Succeeded", "Failed", "Succeeded", "Skipped"], azure.text
    repository.home = azure.sources["refused.record.shop"] / ".flowyard"
    (asked,) = requests(repository)
    assert asked["state"] == "rejected"
    (said,) = asked["answers"]
    assert (said["by"], said["via"]) == (BOSS, "azure-devops")
    assert said["evidence"] == {"run": "https://dev.azure.com/shop/7/_build/results?buildId=42"}

    azure.answer = lambda: "approve"
    assert ends(azure.again("approval"), "ci") == ["Succeeded", "Succeeded", "Skipped", "Succeeded"], azure.text
    repository.home = azure.sources["cd.cd.shop"] / ".flowyard"
    (asked,) = requests(repository)
    assert (asked["state"], asked["requested_by"]) == ("approved", "Ann")
    assert [each["by"] for each in asked["answers"]] == [BOSS]
    status = repository.here("deploy", "status", "cases/shop", "--env", "dev", "--json")
    assert ask(json.loads(status.stdout)["address"]).startswith("one")
    assert {"report.junit.xml", "integration.junit.xml"} <= {each.name for each in azure.published}


def _release(repository: Repository, azure: AzurePipelineRunner, home: Path) -> str:
    """A release branch, merged to main; records are on the machine from now on, with what dev made of them."""
    repository.clean_up()
    shutil.copytree(repository.home, home, ignore=shutil.ignore_patterns("deployments"))
    repository.home = home
    repository.git("checkout", "-q", "-b", "release/1")
    repository.write("pipelines.yaml", f"{SETTINGS}home: {home}\n")
    assert repository.here("pipeline", "generate", "azure-devops").returncode == 0
    repository.commit()
    return merged(repository, "release/1", "main")


def _version(repository: Repository) -> dict[str, Any]:
    """The one that there is."""
    (version,) = json.loads(repository.here("registry", "show", "shop", "--json").stdout)["versions"]
    found: dict[str, Any] = version
    return found
