"""All files for Azure DevOps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flowyard.pipelines.generate.azure_devops.entries import entry
from flowyard.pipelines.generate.azure_devops.plan import plan_template
from flowyard.pipelines.generate.azure_devops.steps import prepare_template, run_template
from flowyard.pipelines.generate.model import CiFile, CiSettings
from flowyard.pipelines.generate.yaml_text import render_yaml
from flowyard.pipelines.stages import PIPELINES

__all__ = ["files"]

_FOLDER = PurePosixPath(".azure-pipelines")


def files(settings: CiSettings) -> list[CiFile]:
    """One entry file for each pipeline, and templates: steps that prepare a machine, those that run stages, the plan.

    ``templates/flowyard-run-ENV.yml`` is also for repositories of another layout: it needs the folder of a use case.
    """
    made = [
        _file(f"flowyard-{pipeline.name}-pipeline.yml", entry(settings, pipeline)) for pipeline in PIPELINES.values()
    ]
    made.append(_file("templates/flowyard-prepare.yml", prepare_template(settings)))
    made.append(_file("templates/flowyard-plan.yml", plan_template(settings)))
    for pipeline in PIPELINES.values():
        made.append(_file(f"templates/flowyard-run-{pipeline.name}.yml", run_template(settings, pipeline)))
    return made


def _file(path: str, data: Mapping[str, Any]) -> CiFile:
    return CiFile(_FOLDER / path, render_yaml(data))
