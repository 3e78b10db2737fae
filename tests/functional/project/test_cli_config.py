"""``flowyard config``: what is set takes effect, the nearer file wins, and what means nothing is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Completed, Project, flowyard


@pytest.fixture
def at_home(project: Project, tmp_path: Path) -> Any:
    """Runs commands as a person whose own folder is below tmp_path, without --home."""
    own = {"XDG_DATA_HOME": str(tmp_path / "own"), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path / "own")}

    def run(*args: str | Path, code: int = 0, cwd: Path = project.root, **env: str) -> Completed:
        done = flowyard(*args, cwd=cwd, env={**own, **env})
        assert done.returncode == code, done.stderr
        return done

    return run


def run_folder(project: Project, at_home: Any, **options: Any) -> Path:
    flow = project.echo_flow()
    data = project.jsonl("data.jsonl", [{"x": "1"}])
    done = at_home("run", "create", "--flow", flow, "--data", data, "--json", **options)
    return Path(json.loads(done.stdout)["path"])


def test_runs_are_kept_where_the_config_says_and_the_nearer_file_wins(project: Project, at_home: Any, tmp_path: Path):
    project.write("pyproject.toml", "")
    assert run_folder(project, at_home).parents[1] == project.root / ".flowyard"
    at_home("config", "set", f"run.output_path={tmp_path / 'mine'}")
    assert run_folder(project, at_home).parents[1] == tmp_path / "mine"
    assert len(json.loads(at_home("run", "list", "--json").stdout)) == 1
    at_home("config", "set", "run.output_path=theirs", "--path", ".")
    assert run_folder(project, at_home).parents[1] == project.root / "theirs"
    assert run_folder(project, at_home, FLOWYARD_HOME=str(tmp_path / "given")).parents[1] == tmp_path / "given"
    shown = json.loads(at_home("config", "show", "--json").stdout)
    assert shown["settings"]["run.output_path"] == {"value": "theirs", "file": str(project.root / "flowyard.yaml")}
    assert shown["runs"] == str(project.root / "theirs")


def test_a_path_is_said_in_full_for_all_projects(project: Project, at_home: Any):
    at_home("config", "set", "run.output_path=here")
    assert run_folder(project, at_home).parents[1] == project.root / "here"


def test_what_else_is_in_a_file_stays(project: Project, at_home: Any):
    file = project.write("flowyard.yaml", "# ours\nrun:\n  output_path: a  # folder\n")
    at_home("config", "set", "trace.destination=none", "--path", ".")
    assert file.read_text() == "# ours\nrun:\n  output_path: a  # folder\ntrace:\n  destination: none\n"


def test_what_changes_nothing_is_said(project: Project, at_home: Any, tmp_path: Path):
    done = at_home("config", "set", "telemetry.enabled=true", "connection.provider=local")
    assert "no telemetry" in done.stderr
    done = at_home("config", "set", "run.output_path=x", FLOWYARD_HOME=str(tmp_path / "given"))
    assert "FLOWYARD_HOME" in done.stderr


REFUSED = {
    "run.output_pth=x": "run.output_path",
    "colour=red": "run.output_path",
    "connection.provider=azureml": "connection create",
    "connection.provider=azureml://subscriptions/s/resourceGroups/g": "connection create",
    "trace.destination=azureml": "local or none",
    "run.output_path=${flow_directory}/out": "--path",
    "run.output_path=": "run.output_path",
    "telemetry.enabled=maybe": "true or false",
    "service.host=x": "means nothing",
    "enable_internal_features=true": "means nothing",
    "nonsense": "name=value",
}


@pytest.mark.parametrize(("setting", "named"), REFUSED.items())
def test_wrong_settings(project: Project, setting: str, named: str):
    assert named in project.rejected("config", "set", setting)
    assert not (project.root / "flowyard.yaml").exists()


def test_no_such_folder(project: Project):
    assert "nowhere" in project.rejected("config", "set", "trace.destination=none", "--path", "nowhere")


@pytest.mark.parametrize(
    ("text", "place"),
    [("run:\n  output_pth: x\n", "flowyard.yaml:2"), ("- a\n", "flowyard.yaml:1"), ("runs: x\n", "flowyard.yaml:1")],
)
def test_a_wrong_file_is_said_with_its_line(project: Project, text: str, place: str):
    project.write("flowyard.yaml", text)
    assert place in project.rejected("run", "list")
