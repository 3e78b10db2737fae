"""The Jenkinsfiles: their blocks, their shell, and one scenario whose scripts are run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ci_machine import WHERE_FLOWYARD_IS, put_program
from ci_settings import SETTINGS
from functional_helper import clean_environment
from git_helper import git
from jenkins_files import JenkinsScript, blocks, scripts
from pipeline_helper import DEPLOYMENT, Repository

from flowyard.pipelines.generate.jenkins import files
from flowyard.pipelines.stages import PIPELINES

TOOLS = Path(sys.executable).parent


@cache
def made(name: str) -> dict[str, str]:
    return {file.path.name.partition(".")[2]: file.text for file in files(SETTINGS[name])}


@pytest.mark.parametrize("pipeline", list(PIPELINES))
@pytest.mark.parametrize("name", list(SETTINGS))
def test_blocks_and_stages(name: str, pipeline: str):
    text = made(name)[pipeline]
    heads = [path[-1].removeprefix("stage('").removesuffix("')") for path in blocks(_quiet(text)) if len(path) > 4]
    expected = [stage.name for stage in PIPELINES[pipeline].stages if not stage.always]
    assert [each for each in heads if each in expected] == expected
    for always in (stage.name for stage in PIPELINES[pipeline].stages if stage.always):
        (script,) = (each for each in scripts(text) if f"--from {always} --until {always} " in each.text)
        assert script.path[-2:] == ("post", "always")
    for each in scripts(text):
        assert "$(" not in each.text
        assert each.text.startswith("#!/bin/bash\nset -euo pipefail\n"), "no -x, which prints commands"
    assert "disableConcurrentBuilds()" in text


@pytest.mark.parametrize("pipeline", ["dev", "prod"])
def test_people_are_asked_for_an_hour_without_a_machine(pipeline: str):
    text = made("azure")[pipeline]
    people = text[text.index("stage('people')") : text.index("stage('cd')")]
    assert people.index("agent none") < people.index("timeout(time: 60, unit: 'MINUTES')") < people.index("input {")
    assert people.index("input {") < people.index("steps {")
    assert "submitter 'ann@example.com,bob@example.com'" in people
    assert "submitterParameter 'FLOWYARD_APPROVER'" in people
    assert "AOAI_API_KEY = credentials('AOAI_API_KEY')" in text


def test_scripts_by_shellcheck(tmp_path: Path):
    found = sorted({each.text for name in SETTINGS for text in made(name).values() for each in scripts(text)})
    for number, script in enumerate(found):
        (tmp_path / f"{number}.sh").write_text(script)
    words = [TOOLS / "shellcheck", "--exclude", "SC1091", *sorted(tmp_path.glob("*.sh"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _quiet(text: str) -> str:
    """The labels of machines stand in double quotes inside of a string."""
    return text.replace('"', "") if '"""' not in text else text


class Jenkins:
    """Runs the scripts of a Jenkinsfile, in order, in one workspace; stops at the first that fails."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository, self.folder = repository, folder
        self.workspace, self.programs = folder / "workspace", folder / "bin"
        for each in (self.programs, folder / "tmp", folder / "account"):
            each.mkdir(parents=True)
        put_program(self.programs / "python3.12")
        put_program(self.programs / "python")
        git(repository.root, "clone", "-q", f"file://{repository.root}", self.workspace)
        self.known = {"SINCE": "", "BUILD_URL": "https://ci.example.com/job/1/"}
        self.log = ""

    def run(self, script: JenkinsScript) -> int:
        inherited = clean_environment({})
        environment = {
            **inherited,
            **self.known,
            "HOME": str(self.folder / "account"),
            "PATH": f"{self.programs}{os.pathsep}{inherited['PATH']}",
            "WORKSPACE_TMP": str(self.folder / "tmp"),
            WHERE_FLOWYARD_IS: str(self.programs),
        }
        done = subprocess.run(
            ["bash", "-c", script.text],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        if script.variable:
            self.known[script.variable] = done.stdout.strip()
        return done.returncode


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made_here = Repository(tmp_path / "repository")
    folder = made_here.use_case("shop")
    made_here.write(f"{folder}/deployment.yaml", DEPLOYMENT.replace("    approval: not_required\n", ""))
    made_here.commit()
    yield made_here
    made_here.clean_up()


def test_what_is_merged_is_asked_approved_and_served(repository: Repository, tmp_path: Path):
    jenkins = Jenkins(repository, tmp_path / "jenkins")
    jenkins.known["SHOP_MOOD"] = "good"
    found = scripts(made("defaults")["dev"])
    people = next(place for place, each in enumerate(found) if "stage('people')" in each.path)
    for script in found[:people]:
        assert jenkins.run(script) == 0, jenkins.log
    assert jenkins.known["FLOWYARD_USE_CASES"] == jenkins.known["FLOWYARD_ASKS"] == "cases/shop"
    jenkins.known["FLOWYARD_BY"] = "bob"  # what 'input' gives
    for script in found[people:]:
        if "stage('people')" not in script.path:
            assert jenkins.run(script) == 0, jenkins.log
    repository.home = jenkins.workspace / ".flowyard"
    account = {"HOME": str(tmp_path / "jenkins/account")}
    (asked,) = json.loads(repository.here("approval", "list", "--json", **account).stdout)
    assert [(each["by"], each["via"]) for each in asked["answers"]] == [("bob", "jenkins")]
    status = repository.here("deploy", "status", jenkins.workspace / "cases/shop", "--env", "dev", "--json")
    assert json.loads(status.stdout)["address"]
    assert (jenkins.workspace / ".flowyard/reports/shop/report.junit.xml").is_file()
