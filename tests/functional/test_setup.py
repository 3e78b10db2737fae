"""``flowyard setup``: the guides are what is printed, the scripts run, and no name is taken for anything else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ci_machine import git
from functional_helper import Completed, clean_environment, flowyard_here
from workflow_files import read_workflows

from flowyard.azure.built_in_roles import CONNECTION_READER
from flowyard.pipelines.stages import PIPELINES

TOOLS = Path(sys.executable).parent
DOCS = Path(__file__).resolve().parents[2] / "docs"
GITHUB = ("github", "--repository", "acme/flows", "--approver", "ann")
DEVOPS = ("azure-devops", "--organization", "acme", "--project", "shop", "--repository", "flows")
DEVOPS = (*DEVOPS, "--approver", "ann@example.com")
GUIDES = {"setup_github.md": GITHUB, "setup_azure_devops.md": DEVOPS}
PLACE = ("--subscription", "0-1", "--resource-group", "a group", "--workspace", "bench")
SECRETS = {
    "FLOWYARD_STORE": "postgresql://ann:the-secret@db.example.com/f",
    "FLOWYARD_APPROVAL_KEY": "the-secret-key",
}
AZURE_DEVOPS = "AZURE_DEVOPS_EXT_PIPELINE_VAR_"
"""What the names of variables begin with that az reads values of secret variables from."""
STAND_IN = """\
#!/bin/sh
# Writes down what it is asked; is asked for an id, a number, an address.
printf '%s\\n' "${0##*/} $*" >> "$RECORD"
case "$*" in
  *remoteUrl*) printf '%s\\n' "$REMOTE" ;;
  *view*|*"repos show"*none*) exit 1 ;;
  *) echo 7 ;;
esac
[ -t 0 ] || cat >> "$GIVEN"
"""


def printed(*words: str) -> Completed:
    return flowyard_here("setup", *words, cwd=DOCS)


@pytest.mark.parametrize("page", list(GUIDES))
def test_the_guide_has_the_commands_that_are_printed(page: str):
    steps = json.loads(printed(*GUIDES[page], "--json").stdout)["steps"]
    text = (DOCS / page).read_text()
    assert re.findall(r"```sh\n(.*?)\n```", text, re.DOTALL) == ["\n".join(each["commands"]) for each in steps]
    assert [each.lower() for each in re.findall(r"^## \d+\. (.*)$", text, re.MULTILINE)] == [
        each["title"].lower() for each in steps
    ]


@pytest.mark.parametrize("words", [GITHUB, DEVOPS, (*GITHUB, *PLACE), (*DEVOPS, *PLACE, "--key-vault", "keys")])
def test_shellcheck(words: tuple[str, ...]):
    text = printed(*words, "--print").stdout
    done = subprocess.run([TOOLS / "shellcheck", "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert all(each["why"] or each["title"].startswith(("the p", "what")) for each in _steps(words))


def test_each_job_that_logs_in_has_its_credential_and_no_other(tmp_path: Path):
    """As which application a job logs in, and what GitHub's token says of it, by the generated workflows themselves."""
    assert flowyard_here("pipeline", "generate", "github", cwd=_azure(tmp_path)).returncode == 0
    workflows = read_workflows(tmp_path)
    needed: dict[str, set[str]] = {}
    for file, workflow in workflows.items():
        for name, job in workflow["jobs"].items():
            given = job.get("with", {})
            if "client" not in given:
                continue
            assert job["permissions"]["id-token"] == "write", f"{file} {name}"
            pipeline = PIPELINES[given["pipeline"]]
            subjects = {f"ref:refs/heads/{each}" for each in pipeline.branches}
            if "environment" in given:
                subjects = {f"environment:{given['environment']}"}
            elif pipeline.trigger == "pull_request":
                subjects = {"pull_request"}
            needed.setdefault(given["client"].removeprefix("${{ vars.").removesuffix(" }}"), set()).update(subjects)
    text = "\n".join(line for each in _steps((*GITHUB, *PLACE)) for line in each["commands"])
    trusted: dict[str, set[str]] = {}
    known: set[str] = set()
    for found in re.finditer(r'"subject": "repo:acme/flows:([^"]*)"|gh variable set (AZURE_CLIENT_ID_\w+)', text):
        if found[1]:
            known.add(found[1])
        else:
            trusted[found[2]], known = known, set()
    assert trusted == needed
    assert set(needed) == {f"AZURE_CLIENT_ID_{each}" for each in ("PR", "CI", "DEV", "PROD")}


def test_only_who_is_in_an_environment_may_deploy():
    """Not in GitHub's jobs before that, nor in a pull request of Azure DevOps."""
    for words in ((*GITHUB, *PLACE), (*DEVOPS, *PLACE)):
        roles = {
            each["title"].split(":")[0]: re.findall(r"--role ('[^']*'|\S+)", "\n".join(each["commands"]))
            for each in _steps(words)
            if each["title"].endswith("what the application may do")
        }
        measuring = {env for env, given in roles.items() if given == [f"'{CONNECTION_READER}'"]}
        assert measuring == ({"pr", "ci"} if words[0] == "github" else {"pr"})
    for each in _steps(GITHUB):
        if each["title"].startswith("the environment"):
            text = "\n".join(each["commands"])
            branch = "main" if each["title"].endswith("prod") else "development"
            assert '"custom_branch_policies": true' in text
            assert f"--raw-field name={branch}" in text
    secrets = next(each for each in _steps(GITHUB) if each["title"].startswith("shared records"))["commands"]
    assert [each for each in secrets if "set FLOWYARD_APPROVAL_KEY" in each and "--env" not in each] == []


def _azure(folder: Path) -> Path:
    (folder / "pipelines.yaml").write_text("cloud: {login: azure}\n")
    return folder


def _steps(words: tuple[str, ...]) -> Any:
    return json.loads(printed(*words, "--json").stdout)["steps"]


@pytest.mark.parametrize("words", [GITHUB, (*DEVOPS, *PLACE)])
def test_what_can_be_run_without_an_account_is_run(tmp_path: Path, words: tuple[str, ...]):
    """git and flowyard are real; the remote is a folder."""
    remote, here, programs = tmp_path / "remote.git", tmp_path / "here", tmp_path / "bin"
    for each in (remote, here, programs):
        each.mkdir()
    git(remote, "init", "-q", "--bare")
    for name in ("gh", "az"):
        (programs / name).write_text(STAND_IN)
    (programs / "flowyard").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m flowyard "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    people = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    inherited = clean_environment({})
    environment = {
        **inherited,
        **people,
        "FLOWYARD_HOME": str(tmp_path / "home"),
        **{f"{place}{name}": value for name, value in SECRETS.items() for place in ("", AZURE_DEVOPS)},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIVEN": str(tmp_path / "given"),
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{inherited['PATH']}",
        "RECORD": str(tmp_path / "record"),
        "REMOTE": f"file://{remote}",
    }
    git(here, "init", "-q", "-b", "main")
    git(here, "remote", "add", "origin", f"file://{remote}")
    text = printed(*words, "--print").stdout
    done = subprocess.run(
        ["sh", "-c", text], cwd=here, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(git(remote, "branch", "--format", "%(refname:short)").split()) == {
        "main",
        "development",
        "feature/first",
    }
    checked = flowyard_here("pipeline", "generate", words[0], "--check", cwd=here, env={"HOME": str(tmp_path)})
    assert checked.returncode == 0, checked.stderr
    record = (tmp_path / "record").read_text()
    assert "the-secret" not in record + done.stdout + done.stderr
    asked = "environments/prod" if words[0] == "github" else "policy merge-strategy create"
    assert asked in record


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("github", "--repository", "acme/$(touch pwned)", "--print"), 2),
        (("github", "--repository", "acme/flows", "--approver", "ann; id", "--print"), 2),
        (("github", "--repository", "acme/flows", "--approver", "../../x", "--print"), 2),
        (("github", "--repository", "acme/flows", "--subscription", "x", "--print"), 2),
        (("github", "--repository", "acme/flows", *PLACE[:-1], "-x", "--print"), 2),
        (("github", "--repository", "acme/flows"), 2),
        (("azure-devops", "--organization", "a b", "--project", "p", "--repository", "r", "--print"), 2),
        (("azure-devops", "--organization", "a", "--project", "p'; id; '", "--repository", "r", "--print"), 2),
        (("azure-devops", "--organization", "a", "--project", "p", "--repository", "--all", "--print"), 2),
    ],
)
def test_hostile_names_are_refused(words: tuple[str, ...], code: int):
    done = printed(*words)
    assert done.returncode == code, done.stdout
    assert done.stdout == ""
