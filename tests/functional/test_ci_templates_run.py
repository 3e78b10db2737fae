"""A repository of another layout uses flowyard in a few lines, those of docs/pipelines.md: their steps are run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_pipeline_runner import AzurePipelineRunner
from comment_apis import TOKEN, CommentApis, comment_apis
from functional_helper import flowyard_here
from pipeline_helper import Repository
from workflow_runner import Event, WorkflowRunner

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "pipelines.md").read_text()
MODEL_KEY = "a-key-that-nobody-may-see"
MARKER = "<!-- flowyard pipeline: shop.pr -->"
WORKFLOW = """\
on: {pull_request: {}}
jobs:
  check:
    permissions: {contents: read}
    steps:
"""
PIPELINE = """\
resources: {repositories: [{repository: flowyard, type: git, name: shop/flowyard}]}
pool: {vmImage: ubuntu-latest}
"""


def example(beginning: str) -> str:
    """The example of the page whose first line begins so."""
    found = re.search(rf"```yaml\n({re.escape(beginning)}.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Use cases in ``flows``, and CI files that people wrote."""
    made = Repository(tmp_path / "repository")
    made.use_case("shop", folder="flows/shop")
    steps = example("- uses: actions/checkout").replace("cases/shop", "flows/shop")
    indented = "".join(f"      {line}\n" for line in steps.splitlines())
    comment = "".join(f"  {line}\n" for line in example("comment:\n").splitlines())
    made.write(".github/workflows/check.yml", (WORKFLOW + indented + comment).replace("@COMMIT", f"@{'0' * 40}"))
    made.write("azure-pipelines.yml", PIPELINE + example("steps:\n  - template:"))
    made.commit()
    return made


@pytest.fixture
def apis() -> Iterator[CommentApis]:
    with comment_apis() as made:
        yield made


def test_the_composite_action_and_the_template_of_steps(repository: Repository, apis: CommentApis, tmp_path: Path):
    """All machines have one home folder, so that what the first did is only told again by the others."""
    commit = repository.git("rev-parse", "HEAD")
    runner = WorkflowRunner(
        repository.root,
        tmp_path / "github",
        environment={"TOKEN_OF_JOB": TOKEN, "API_OF_GITHUB": apis.address, "FLOWYARD_HOME": str(repository.home)},
        actions={f"OWNER/flowyard/{each}": PROJECT / each for each in ("ci/github", "ci/github/comment")},
    )
    asked = Event("pull_request", "refs/heads/development", commit, {"pull_request": {"number": 7}})
    apis.refusal = 403
    assert runner.run("check.yml", asked)["comment"].result == "success", runner.text
    assert "permits no comment" in runner.text, "a fork's job may only read"
    assert apis.comments == []
    assert runner.summary.count(MARKER) == 2, "shown by the job that made it, and by the one that may not comment"

    runner.secrets, apis.refusal = {"SHOP_MODEL_API_KEY": MODEL_KEY}, None
    assert runner.run("check.yml", asked)["comment"].result == "success", runner.text
    (comment,) = apis.comments
    assert comment["body"].startswith(f"{MARKER}\n## ✅")
    assert runner.summary.count(MARKER) == 1
    assert MODEL_KEY not in runner.text
    assert TOKEN not in runner.text + runner.summary

    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "pipelines.yaml").write_text(f"home: {repository.home}\n")
    assert flowyard_here("pipeline", "generate", "azure-devops", cwd=templates).returncode == 0
    azure = AzurePipelineRunner(repository.root, tmp_path / "agents", resources={"flowyard": templates})
    done = azure.run_file("azure-pipelines.yml", commit, **{"System.CollectionUri": f"{apis.address}/"})
    assert set(done.values()) == {"Succeeded"}, azure.text
    assert "## ✅" in azure.summaries[0]
    assert "report.junit.xml" in {each.name for each in azure.published}
    assert apis.threads == [], "a step that runs code of use cases has no token"
