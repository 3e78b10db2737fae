"""Hostile names in the files of CI systems: refused when these are written, and only words when they are run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from functional_helper import flowyard_here
from ruamel.yaml import YAML

_PACKAGES = {"github": "github", "azure-devops": "azure_devops", "jenkins": "jenkins"}
SYSTEMS = [
    system
    for system, package in _PACKAGES.items()
    if importlib.util.find_spec(f"flowyard.pipelines.generate.{package}")
]
PAYLOADS = (
    "$(touch pwned)",
    "`touch pwned`",
    "x'; touch pwned; '",
    'x"; touch pwned; "',
    "x\n  touch pwned",
    "x && touch pwned",
    "${{ github.event.pull_request.title }}",
    "$(Build.SourceBranch)",
    "$[variables.x]",
    "${env.BRANCH_NAME}",
    "x''' + 'touch pwned'.execute() + '''",
    "-rf",
    "../x",
    "x: y",
    "x #",
    "\u202ex",
    "x\x1b[2J",
    "",
)
PLACES = (
    "use_cases: {}",
    "branches: {{main: {}}}",
    "branches: {{development: {}}}",
    "branches: {{release: {}}}",
    "python: {}",
    "install: {{version: {}}}",
    "install: {{extras: [{}]}}",
    "install: {{requirements: {}}}",
    "runners: [{}]",
    "environments: {{dev: {}}}",
    "environments: {{prod: {}}}",
    "secrets: {{dev: [{}]}}",
    "variables: {{prod: [{}]}}",
    "groups: {{dev: {}}}",
    "notify: {}",
    "approvers: [{}]",
    "cloud: {{client: {}}}",
    "cloud: {{service_connection: {}}}",
    "home: {}",
)
SETTINGS = """\
environments: {dev: Development (EU), prod: production}
secrets: {pr: [MODEL_KEY], dev: [MODEL_KEY], prod: [MODEL_KEY]}
variables: {dev: [GREETING], prod: [GREETING]}
cloud: {login: azure}
notify: team@example.org
approvers: [ann@example.org]
use_cases: cases
"""
SCRIPT_KEYS = frozenset({"run", "bash", "script", "inlineScript", "pwsh", "powershell"})
GROOVY_SCRIPT = re.compile(r"'''(.*?)'''", re.DOTALL)
VARIABLE = re.compile(r"\$\{?[!#]?([A-Za-z_][A-Za-z0-9_]*)")
_SHELL_OWN = frozenset({"PATH", "PWD", "HOME", "RUNNER_TEMP", "WORKSPACE_TMP", "FLOWYARD_GIVEN"})
BRANCH = "x$(touch${IFS}pwned)`touch${IFS}pwned`';touch${IFS}pwned;'\";touch${IFS}pwned;\"&&touch${IFS}pwned|*"
"""What git allows as the name of a branch."""
STUB = """\
#!/bin/sh
printf '%s\\n' "$@" >> "$STUB_LOG"
echo '{}'
"""


def generate(system: str, folder: Path, settings: str) -> Any:
    (folder / "pipelines.yaml").write_text(settings, "utf-8")
    return flowyard_here("pipeline", "generate", system, cwd=folder)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_hostile_name_is_written_into_a_file(tmp_path: Path, system: str):
    quoted = [f'"{each.encode("unicode_escape").decode().replace(chr(34), chr(92) + chr(34))}"' for each in PAYLOADS]
    for place in PLACES:
        for payload in quoted:
            done = generate(system, tmp_path, place.format(payload))
            assert done.returncode == 2, (place, payload, done.stdout)
            assert "Traceback" not in done.stderr
            assert not re.search(r"\x1b|\u202e", done.stderr)
    assert [file.name for file in tmp_path.iterdir()] == ["pipelines.yaml"]


def scripts(folder: Path) -> Iterator[tuple[str, str]]:
    """Each script in the generated files, as the shell gets it."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "pipelines.yaml"):
        text = file.read_text("utf-8")
        if file.suffix in (".yml", ".yaml"):
            yield from ((f"{file.name}", each) for each in _below(YAML(typ="safe").load(text)))
        else:
            yield from ((f"{file.name}", each.replace("\\\\", "\\")) for each in GROOVY_SCRIPT.findall(text))


def _below(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SCRIPT_KEYS and isinstance(inner, str):
                yield inner
            else:
                yield from _below(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _below(inner)


@pytest.fixture(scope="module", params=SYSTEMS)
def generated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    assert generate(request.param, folder, SETTINGS).returncode == 0
    return folder


def test_no_expression_of_a_ci_system_is_put_into_a_script(generated: Path):
    found = list(scripts(generated))
    assert len(found) > 5
    for name, script in found:
        assert "${{" not in script, name
        assert not re.search(r"\$\([A-Za-z]+\.[A-Za-z.]+\)|\$\[", script), name
    for file in generated.rglob("*"):
        if file.is_file() and file.suffix not in (".yml", ".yaml"):
            text = file.read_text("utf-8")
            assert '"""' not in text, "Groovy fills in what stands between double quotes"
            assert not re.search(r'\b(sh|bat|echo)\b[^\n]*"[^"\n]*\$', GROOVY_SCRIPT.sub("", text)), file


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What scripts call: each only notes its words."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in ("flowyard", "python", "python3", "python3.12", "pip", "git", "gh", "az", "tar", "jq"):
        (folder / program).write_text(STUB)
        (folder / program).chmod(0o755)
    return folder


def words_of(script: str, folder: Path, programs: Path) -> list[str]:
    """The words of all programs that a script calls when each of its variables is the name of a hostile branch."""
    (folder / "temp" / "flowyard" / "bin").mkdir(parents=True)
    (folder / "temp" / "flowyard" / "bin" / "activate").touch()
    own = {"RUNNER_TEMP": "temp", "WORKSPACE_TMP": "temp", "HOME": str(folder), "STUB_LOG": str(folder / "words")}
    hostile = {each: BRANCH for each in VARIABLE.findall(script) if each not in _SHELL_OWN}
    files = {each: str(folder / each) for each in hostile if each in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    path = os.pathsep.join([str(programs), "/usr/bin", "/bin"])
    env = {**hostile, **files, **own, "PATH": path, "FLOWYARD_GIVEN": ""}
    bash = [shutil.which("bash") or "/bin/bash", "-c", script]
    subprocess.run(bash, cwd=folder, env=env, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    log = folder / "words"
    return log.read_text("utf-8").splitlines() if log.exists() else []


def test_hostile_names_stay_words_when_the_scripts_are_run(generated: Path, programs: Path, tmp_path: Path):
    noted = []
    for number, (name, script) in enumerate(scripts(generated)):
        words = words_of(script, tmp_path / str(number), programs)
        assert not list((tmp_path / str(number)).rglob("pwned*")), f"{name}: {script}"
        assert [word for word in words if "touch" in word and BRANCH not in word] == [], f"{name}: {script}"
        noted += words
    assert any(BRANCH in word for word in noted)


def test_a_script_that_does_not_quote_is_found(programs: Path, tmp_path: Path):
    assert words_of('eval "flowyard $NAME"', tmp_path / "eval", programs) != [BRANCH]
    assert (tmp_path / "eval" / "pwned").exists()
