"""What docs/reports.md tells people to put into their pipelines is YAML, and its commands do what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, clean_environment
from places import ROOT
from ruamel.yaml import YAML

PAGE = ROOT / "docs" / "reports.md"
EXPERIMENT = """\
name: my_experiment
flow: echo
datasets:
- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- name: same
  type: exact_match
  datasets:
  - {name: rows, mappings: {answer: "${run.outputs.out}", ground_truth: "${data.x}"}}
"""
GH = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *--paginate*) echo '[{"id": 7, "body": "another"}, {"id": 8, "body": "'"$MARKER"' ..."}]';; esac
"""


def steps(sign: str) -> list[dict[str, Any]]:
    """The steps of the snippet that has the sign."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if sign in block)
    parsed: list[dict[str, Any]] = YAML(typ="safe").load(found)
    assert all(isinstance(step, dict) for step in parsed)
    return parsed


@pytest.fixture
def pipeline(project: Project, tmp_path: Path) -> Project:
    project.echo_flow()
    project.jsonl("rows.jsonl", [{"x": "a"}, {"x": "b"}])
    project.write("experiment.yaml", EXPERIMENT)
    project.write("experiment.pr.yaml", "gates: ['exact_match >= 0.5']\n")
    program = project.write("bin/flowyard", f'#!/bin/sh\nexec "{sys.executable}" -m flowyard "$@"\n')
    program.chmod(0o755)
    return project


def shell(project: Project, commands: str, **env: str) -> None:
    path = f"{project.root / 'bin'}:{clean_environment()['PATH']}"
    surroundings = clean_environment({"FLOWYARD_HOME": str(project.home), **env, "PATH": path})
    words = ["bash", "-eo", "pipefail", "-c", commands]
    done = subprocess.run(words, cwd=project.root, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"


def test_the_workflow_of_github(pipeline: Project):
    summary = pipeline.root / "summary.md"
    run, report, comment, upload = steps("GITHUB_STEP_SUMMARY")
    for step in (run, report):
        shell(pipeline, step["run"], GITHUB_STEP_SUMMARY=str(summary))
    assert "my_experiment" in summary.read_text("utf-8")
    assert (pipeline.root / upload["with"]["path"] / "report.html").is_file()
    if shutil.which("jq") is None:
        return
    pipeline.write("bin/gh", GH).chmod(0o755)
    calls = pipeline.root / "calls"
    marker = summary.read_text("utf-8").splitlines()[0]
    commands = comment["run"].replace("${{ github.event.number }}", "12")
    shell(pipeline, commands, GITHUB_REPOSITORY="o/r", CALLS=str(calls), MARKER=marker)
    assert calls.read_text().splitlines()[1:] == ["api -X PATCH repos/o/r/issues/comments/8 -F body=@reports/report.md"]
    calls.unlink()
    shell(pipeline, commands, GITHUB_REPOSITORY="o/r", CALLS=str(calls), MARKER="none")
    assert calls.read_text().splitlines()[1:] == ["api repos/o/r/issues/12/comments -F body=@reports/report.md"]


def test_the_pipeline_of_azure_devops(pipeline: Project):
    staging = pipeline.root / "staging"
    for step in steps("PublishTestResults"):
        if "script" in step:
            shell(pipeline, step["script"].replace("$(Build.ArtifactStagingDirectory)", str(staging)))
        for path in (step.get("inputs", {}).get("testResultsFiles"), step.get("publish")):
            if path is not None:
                assert Path(path.replace("$(Build.ArtifactStagingDirectory)", str(staging))).exists()
    assert (staging / "reports" / "report.md").is_file()
