"""Which jobs log in to Azure from GitHub, as which application, and what GitHub's token says of such a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowyard.pipelines.generate.model import Branches, CiSettings
from flowyard.pipelines.model import Job, Pipeline
from flowyard.pipelines.stages import PIPELINES

__all__ = ["application_of", "client_variable", "logins", "logs_in"]

_OF_CHECKS = "pr"
_OF_JOBS = "ci"


def logs_in(job: Job, settings: CiSettings) -> bool:
    """Whether a job has an identity in Azure."""
    return job.cloud_login and settings.cloud.login == "azure"


def application_of(pipeline: Pipeline, job: Job) -> str:
    """The application that a job logs in as: only one in an environment, behind its reviewers, may deploy."""
    if job.environment is not None:
        return job.environment
    return _OF_CHECKS if pipeline.trigger == "pull_request" else _OF_JOBS


def client_variable(pipeline: Pipeline, job: Job, settings: CiSettings) -> str:
    """The name of the variable that has that application's id."""
    return f"{settings.cloud.client}_{application_of(pipeline, job).upper()}"


def logins(branches: Branches, environments: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """For each application the subjects of the tokens that its jobs have, without the repository."""
    found: dict[str, list[str]] = {}
    for pipeline in PIPELINES.values():
        for job in pipeline.jobs:
            if job.cloud_login:
                subjects = found.setdefault(application_of(pipeline, job), [])
                subjects += [each for each in _subjects(pipeline, job, branches, environments) if each not in subjects]
    return {name: tuple(subjects) for name, subjects in found.items()}


def _subjects(pipeline: Pipeline, job: Job, branches: Branches, environments: Mapping[str, str]) -> Iterator[str]:
    """The clock starts a workflow on the default branch, which is ``main`` or ``development``: both are there."""
    if job.environment is not None:
        yield f"environment:{environments[job.environment]}"
    elif pipeline.trigger == "pull_request":
        yield "pull_request"
    else:
        yield from (f"ref:refs/heads/{branches.named(each)}" for each in pipeline.branches)
