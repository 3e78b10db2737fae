"""``flowyard pipeline plan``"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from flowyard.cli.pipeline.options import (
    UseCase,
    chosen_use_cases,
    may_have_environment,
    pipeline_argument,
    refused_by_ci,
    touched_by,
)
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.deploy.config.read import read_deploy_config
from flowyard.errors import UserError
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.use_cases.find import folder_for_ci, repository_root
from flowyard.pipelines.use_cases.matrix import MOST_JOBS, azure_devops_matrix, github_matrix

__all__ = ["plan"]

_FORMS = {"github": github_matrix, "azure-devops": azure_devops_matrix, "jenkins": github_matrix}


@click.command()
@pipeline_argument
@click.option("--changed-since", "since", metavar="REV", help="Only what is different from where REV was left.")
@click.option("--below", metavar="FOLDER", help="Only use cases below this folder of the repository.")
@click.option("--asking", is_flag=True, help="Only those of which people are asked before they are deployed.")
@click.option("--for", "system", type=click.Choice(list(_FORMS)), default="github", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the matrix as JSON on one line.")
def plan(pipeline: Pipeline, since: str | None, below: str | None, asking: bool, system: str, as_json: bool) -> None:
    """Say which use cases run, in the order of their folders: all, or those that a change touches.

    A use case is touched by a file of its folder, of what its files name outside of it, and of what is for all.
    """
    if since is None:
        listed: list[tuple[UseCase, str | None]] = [
            (refused_by_ci(each), None) for each in chosen_use_cases(pipeline, (), None)
        ]
    else:
        listed = list(touched_by(pipeline, repository_root(Path.cwd()), since))
    if below is not None:
        listed = [(each, why) for each, why in listed if PurePosixPath(each.folder).is_relative_to(below)]
    if asking:
        listed = [(each, why) for each, why in listed if _asks(each, pipeline)]
    print_warnings(f"Its job will fail: {each.folder}: {each.problem}" for each, _ in listed if each.problem)
    if len(listed) > MOST_JOBS:
        message = f"These are {len(listed)} use cases, and GitHub takes at most {MOST_JOBS} jobs from a matrix."
        print_warnings([f"{message} Split the repository, or take parts of it: flowyard pipeline plan --below FOLDER"])
    if as_json:
        print_json(_FORMS[system]([(folder_for_ci(each.folder), each.name) for each, _ in listed]), indent=None)
        return
    print_table(["use case", "folder", "because of"], [(each.name, each.folder, why or "") for each, why in listed])


def _asks(use_case: UseCase, pipeline: Pipeline) -> bool:
    """Whether ``deployment.yaml`` sends it to the pipeline's environment, and does not say that nobody is asked."""
    if use_case.problem is not None:  # nobody is asked about what fails before that
        return False
    if not any(stage.asks for stage in pipeline.stages) or not may_have_environment(use_case, pipeline.env):
        return False
    try:
        return read_deploy_config(use_case.path).find(pipeline.env).needs_approval
    except UserError:  # which is what its own run says
        return True
