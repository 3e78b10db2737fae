"""Generated workflows of GitHub, run: their own commands in clean clones of real branches, to a served endpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comment_apis import CommentApis, comment_apis
from deploy_helper import ask
from functional_helper import EXAMPLE
from pipeline_helper import Repository, evaluated_by_the_clock
from workflow_forge import APPROVAL_KEY, Forge

from flowyard import __version__

MODEL_KEY = "a-key-that-nobody-may-see"
LOGIN = "[step Log in to Azure by federation]"


@pytest.fixture
def apis() -> Iterator[CommentApis]:
    with comment_apis() as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    yield made
    made.clean_up()


def test_from_a_pull_request_to_an_approved_endpoint(repository: Repository, apis: CommentApis, tmp_path: Path):
    """The example: a gate missed by a fork, then reached; merged, approved while the job waits, and served."""
    folder = repository.root / "triage"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".flowyard", "__pycache__"))
    overlay = folder / "experiment.dev.yaml"
    shutil.copy(overlay, folder / "experiment.pr.yaml")
    overlay.write_text(f"{overlay.read_text()}approval: {{timeout: 1h}}\n")
    settings = "secrets: {pr: [TRIAGE_REGION], dev: [TRIAGE_REGION]}\ncloud: {login: azure}\n"
    repository.write("pipelines.yaml", settings)
    forge = Forge(repository, apis, tmp_path / "ci")
    forge.generate()
    repository.commit()
    forge.runner.secrets = {"TRIAGE_REGION": MODEL_KEY, "FLOWYARD_APPROVAL_KEY": APPROVAL_KEY}

    repository.git("checkout", "-q", "-b", "feature/$(touch${IFS}pwned)")
    experiment = folder / "experiment.yaml"
    text = experiment.read_text()
    experiment.write_text(text.replace("accuracy >= 0.75", "accuracy >= 0.999"))
    repository.commit()
    feature = "feature/$(touch${IFS}pwned)"
    missed = forge.pull_request(feature, repository="mallory/r")
    assert missed == {
        "plan": "success",
        "check": "failure",
        "check[ticket_triage]": "failure",
        "check[ticket_triage]/stages": "failure",
        "comment": "success",
        "result": "failure",
    }
    assert "[exit code 3]" in forge.runner.text
    assert apis.comments == []
    assert "permits no comment (status 403), as for pull requests from forks" in forge.runner.text
    assert forge.runner.summary.count("❌ Stopped") == 2, "in the summary of the check, and of the job that comments"
    assert LOGIN not in forge.runner.text, "a fork has no identity"

    experiment.write_text(f"{text}# looked at\n")
    repository.commit()
    assert set(forge.pull_request(feature).values()) == {"success"}
    assert LOGIN in forge.runner.text
    (comment,) = apis.comments
    assert comment["body"].startswith("<!-- flowyard pipeline: pr -->\n## ✅")

    answered = forge.answering("approve", lambda workspace: workspace / ".flowyard")
    merged = forge.merge(feature, "development", "dev")
    assert set(merged.values()) == {"success"}, forge.runner.text
    assert len(answered) == 1
    workspace = forge.runner.jobs["use-case[ticket_triage]/cd/stages"].workspace
    assert workspace is not None
    repository.home = workspace / ".flowyard"
    triage = workspace / "triage"
    served = _json(repository, "deploy", "status", triage, "--env", "dev")
    (version,) = _json(repository, "registry", "show", "ticket_triage")["versions"]
    assert {"production@dev", "approved@dev"} <= set(version["aliases"])
    assert served["address"]
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=APPROVAL_KEY).returncode == 0
    assert "[environment dev]" in forge.runner.text
    assert {line for file in (tmp_path / "ci").rglob("pip.log") for line in file.read_text().splitlines()} == {
        f"-m pip install --disable-pip-version-check flowyard=={__version__}"
    }
    assert not list(tmp_path.rglob("pwned"))


def test_smoke_test_fails_promotion_times_out_is_refused_and_approved(
    repository: Repository, apis: CommentApis, tmp_path: Path
):
    """Records are on the machine of the runner, so that what was approved in one run is promoted in another."""
    folder = repository.use_case("shop")
    settings = f"home: {repository.home}\nvariables: {{dev: [SHOP_MOOD]}}\n"
    repository.write("pipelines.yaml", settings)
    repository.write(f"{folder}/experiment.dev.yaml", "approval: {timeout: 1h}\n")
    repository.write(f"{folder}/experiment.prod.yaml", "approval: {timeout: 1s}\n")
    forge = Forge(repository, apis, tmp_path / "ci")
    forge.generate()
    repository.commit()
    repository.git("branch", "main")
    repository.git("checkout", "-q", "-b", "feature")
    repository.answer(folder, "one")
    repository.write(f"{folder}/notes.txt", "x")
    repository.commit()

    forge.runner.secrets = {"FLOWYARD_APPROVAL_KEY": APPROVAL_KEY}
    forge.runner.variables = {"SHOP_MOOD": "bad"}
    failed = forge.merge("feature", "development", "dev")
    assert failed["use-case[shop]/ci"] == "success"
    assert failed["use-case[shop]/cd"] == failed["use-case"] == "failure"
    assert "[exit code 1]" in forge.runner.text
    assert "production@dev" not in _aliases(repository)
    forge.runner.variables = {"SHOP_MOOD": "good"}
    assert set(forge.by_hand("development", "dev").values()) == {"success"}
    assert "production@dev" in _aliases(repository)
    assert set(forge.by_hand("feature", "dev").values()) == {"skipped"}, "only the branch is deployed"

    assert forge.pull_request("feature", base="main")["plan"] == "failure"
    assert forge.pull_request("feature", base="main", repository="mallory/r")["result"] == "failure"
    assert apis.comments == []

    repository.git("branch", "release/1", "development")
    late = forge.merge("release/1", "main", "prod")
    assert late["use-case[shop]/evaluate"] == "success"
    assert late["use-case[shop]/cd"] == "failure"
    assert "[exit code 4]" in forge.runner.text
    assert "production@prod" not in _aliases(repository)

    repository.write(f"{folder}/experiment.prod.yaml", "approval: {timeout: 1h}\n")
    repository.git("checkout", "-q", "-b", "release/2")
    repository.commit()
    refused = forge.answering("reject", lambda _: repository.home)
    assert forge.merge("release/2", "main", "prod")["use-case[shop]/cd"] == "failure"
    assert "[exit code 4]" in forge.runner.text
    assert "production@prod" not in _aliases(repository)
    approved = forge.answering("approve", lambda _: repository.home)
    assert set(forge.by_hand("main", "prod").values()) == {"success"}
    assert {"production@dev", "production@prod"} <= _aliases(repository), "the same version"
    served = _json(repository, "deploy", "status", folder, "--env", "prod")
    assert ask(served["address"]).startswith("one")
    answers = [each["id"] for each in _json(repository, "approval", "list")]
    assert set(refused + approved) <= set(answers)
    assert repository.here("approval", "verify", FLOWYARD_APPROVAL_KEY=APPROVAL_KEY).returncode == 0


def test_production_is_evaluated_by_the_clock(repository: Repository, apis: CommentApis, tmp_path: Path):
    """The clock starts the file of the default branch; what is judged is production's."""
    evaluated_by_the_clock(repository, "github")
    forge = Forge(repository, apis, tmp_path / "ci")
    assert set(forge.by_the_clock("post").values()) == {"success"}, forge.runner.text
    assert "## ✅ Done: shop · post" in forge.runner.summary
    repository.git("branch", "-f", "main", "development")
    missed = forge.by_the_clock("post")
    assert missed == {
        "plan": "success",
        "monitor": "failure",
        "monitor[shop]": "failure",
        "monitor[shop]/stages": "failure",
    }
    assert "[exit code 3]" in forge.runner.text
    assert (forge.runner.artifacts / "reports-post-monitor-shop").is_dir()


def _json(repository: Repository, *words: str | Path) -> Any:
    done = repository.here(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _aliases(repository: Repository) -> set[str]:
    """Those of the one version that there is."""
    (version,) = _json(repository, "registry", "show", "shop")["versions"]
    return set(version["aliases"])
