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
from functional_helper import Completed, clean_environment, flowyard_here
from git_helper import git
from places import DOCS

TOOLS = Path(sys.executable).parent
GITHUB = ("github", "--repository", "acme/flows", "--approver", "ann")
DEVOPS = ("azure-devops", "--organization", "acme", "--project", "shop", "--repository", "flows")
DEVOPS = (*DEVOPS, "--approver", "ann@example.com")
GUIDES = {"setup_github.md": GITHUB, "setup_azure_devops.md": DEVOPS}
PLACE = ("--subscription", "0-1", "--resource-group", "a group", "--workspace", "bench")
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
        "FLOWYARD_STORE": "postgresql://ann:the-secret@db.example.com/f",
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
