"""Which connections a command knows that is given a flow alone: those of the experiment around it, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.experiments.nearest import NearestExperiment


def declaring(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    listed = "\n".join(f"- {{name: {name}, type: custom, configs: {{url: here}}}}" for name in names)
    (folder / "experiment.yaml").write_text(f"connections:\n{listed}\n", "utf-8")
    return folder


def known(flow: Path, home: Path) -> list[str]:
    flow.mkdir(parents=True, exist_ok=True)
    return list(NearestExperiment(flow, home, {}).names())


def test_the_nearest_experiment_within_the_project_counts(tmp_path: Path):
    project = declaring(tmp_path / "project", "outer")
    (project / ".git").mkdir()
    shop = declaring(project / "shop", "inner")
    home = project / ".flowyard"
    assert known(shop / "flows/answer", home) == ["inner"]
    assert known(shop, home) == ["inner"]
    assert known(project / "other/flow", home) == ["outer"]


def test_what_is_above_the_project_does_not(tmp_path: Path):
    above = declaring(tmp_path / "above", "stranger")
    (above / "project/.git").mkdir(parents=True)
    assert known(above / "project/flow", tmp_path / "home") == []


def test_a_registered_version_has_none_around_it(tmp_path: Path):
    """It would answer by what happens to be checked out where it is served."""
    project = declaring(tmp_path / "project", "of_today")
    home = project / ".flowyard"
    assert known(home / "registry/trees/1a2b", home) == []
    assert known(project / "flow", tmp_path) == ["of_today"], "a home above the project changes nothing"


@pytest.mark.parametrize("text", ["[1, 2", "just text", "connections: 3", "connections: [3, {name: [x]}]"])
def test_a_file_that_is_no_experiment_has_none(tmp_path: Path, text: str):
    (tmp_path / "experiment.yaml").write_text(text, "utf-8")
    assert known(tmp_path, tmp_path / "home") == []
