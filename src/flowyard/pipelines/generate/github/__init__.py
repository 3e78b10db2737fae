"""Workflows for GitHub Actions: thin, and only the commands that run on a laptop, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flowyard.pipelines.generate.github.actions import with_versions
from flowyard.pipelines.generate.github.entries import entry_workflow, use_case_workflow
from flowyard.pipelines.generate.github.stages_workflow import stages_workflow
from flowyard.pipelines.generate.github.steps import CALLED_FILE
from flowyard.pipelines.generate.model import CiFile, CiSettings
from flowyard.pipelines.generate.yaml_text import render_yaml
from flowyard.pipelines.stages import PIPELINES

__all__ = ["files"]


def files(settings: CiSettings) -> list[CiFile]:
    """One workflow that events start for each pipeline, and those that they call."""
    made = [_file(CALLED_FILE, stages_workflow(settings))]
    for pipeline in PIPELINES.values():
        made.append(_file(f"flowyard-{pipeline.name}.yml", entry_workflow(pipeline, settings)))
        if len(pipeline.jobs) > 1:
            made.append(_file(f"flowyard-{pipeline.name}-use-case.yml", use_case_workflow(pipeline, settings)))
    return made


def _file(name: str, workflow: Mapping[str, Any]) -> CiFile:
    return CiFile(PurePosixPath(".github/workflows") / name, with_versions(render_yaml(workflow)))
