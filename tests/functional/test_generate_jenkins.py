"""The Jenkinsfiles: their blocks and their shell."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from jenkins_files import blocks, scripts
from test_generate_azure_devops import SETTINGS

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
