"""Looking through a repository, use case by use case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowyard.migration.deployments import check_deployments
from flowyard.migration.environment_files import check_config, check_data_pipeline, check_dotenv, check_environment
from flowyard.migration.experiment_files import check_experiment, declared_connections
from flowyard.migration.flow_folders import check_flows
from flowyard.migration.model import KINDS, Finding, Migration, UseCase
from flowyard.migration.notes import Notes
from flowyard.migration.pipelines import check_pipeline, iter_pipelines, pipeline_owner
from flowyard.migration.places import DEPLOYMENT_FILES, find_use_cases, is_of_template, overlays
from flowyard.migration.rewrite import find_changes

__all__ = ["survey_repository"]


def survey_repository(root: Path) -> Migration:
    """All that is found below ``root``. Nothing is run or written. Raises UserError when there is no use case."""
    root = root.resolve()
    cases = find_use_cases(root)
    notes = {case: Notes(root) for case in cases}
    shared = Notes(root)
    for case in cases:
        _check_use_case(case, notes[case])
    for file in iter_pipelines(root):
        owner = pipeline_owner(file, cases)
        check_pipeline(file, notes[owner] if owner else shared)
    _check_shared(root, shared)
    return Migration(
        root,
        tuple(
            UseCase(
                case.name, shared.relative(case), tuple(overlays(case)), _sorted(notes[case].found), find_changes(case)
            )
            for case in cases
        ),
        _sorted(shared.found),
        is_of_template(root, cases),
    )


def _check_use_case(case: Path, notes: Notes) -> None:
    check_experiment(case, notes)
    check_flows(case, notes)
    for name, check in (
        ("configs/dataops_config.json", check_data_pipeline),
        ("environment/env.yaml", check_environment),
    ):
        if (case / name).is_file():
            check(case / name, notes)
    for deployments in (case / name for name in DEPLOYMENT_FILES if (case / name).is_file()):
        check_deployments(deployments, list(overlays(case)), declared_connections(case), notes)


def _check_shared(root: Path, notes: Notes) -> None:
    for name, check in ((".env", check_dotenv), ("llmops/config.py", check_config)):
        if (root / name).is_file():
            check(root / name, notes)


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once, the most urgent first, then by file and line."""
    order = list(KINDS)
    once = dict.fromkeys(findings)
    return tuple(sorted(once, key=lambda found: (order.index(found.kind), found.file, found.line, found.message)))
