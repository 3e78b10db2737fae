"""The entry file of a pipeline: what starts it, its stages, and who is asked between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard.pipelines.generate.azure_devops.plan import pool
from flowyard.pipelines.generate.azure_devops.scripts import COMMENT
from flowyard.pipelines.generate.azure_devops.steps import group_of
from flowyard.pipelines.generate.model import CiSettings
from flowyard.pipelines.model import Job, Pipeline

__all__ = ["entry"]

_ASKED_MINUTES = 60
_JOB_MINUTES = 75
"""More than the task's: a job whose time ends first is cancelled, and the task rejects nothing."""
_MATRIX = "plan.outputs['plan.matrix']"
_WENT_WELL = "'Succeeded', 'SucceededWithIssues'"


def entry(settings: CiSettings, pipeline: Pipeline) -> Mapping[str, Any]:
    """A pull request's pipeline has jobs in one stage; where people are asked, there are stages around that."""
    group = group_of(settings, pipeline.env)
    default = "all" if pipeline.trigger == "schedule" else ""
    since = {"name": "since", "displayName": "What changed since (a revision, or all)", "type": "string"}
    return {
        "name": f"{pipeline.name}-$(Date:yyyyMMdd)$(Rev:.r)",
        **_starts(settings, pipeline),
        "parameters": [{**since, "default": default}],
        **({"variables": [{"group": group}]} if group else {}),
        "stages": _stages(settings, pipeline),
    }


def _starts(settings: CiSettings, pipeline: Pipeline) -> Mapping[str, Any]:
    """A pull request in Azure Repos starts it by a branch policy, in GitHub by ``pr``."""
    branches = {"include": [settings.branches.named(each) for each in pipeline.branches]}
    if pipeline.trigger == "pull_request":
        branches["include"].append(f"{settings.branches.release}*")
        return {"trigger": "none", "pr": {"branches": branches}}
    if pipeline.trigger == "push":
        return {"trigger": {"branches": branches}, "pr": "none"}
    clock = {"cron": pipeline.schedule, "displayName": pipeline.summary, "branches": branches, "always": "true"}
    return {"trigger": "none", "pr": "none", "schedules": [clock]}


def _stages(settings: CiSettings, pipeline: Pipeline) -> list[Mapping[str, Any]]:
    first, *later = pipeline.jobs
    branches = " ".join(settings.branches.named(each) for each in pipeline.branches)
    only = {} if pipeline.trigger == "pull_request" else {"branches": branches}
    plan = {
        "template": "templates/flowyard-plan.yml",
        "parameters": {"pipeline": pipeline.name, "since": "${{ parameters.since }}", **only},
    }
    last = next(each for each in reversed(first.stages) if each.name != "comment").name
    more = {"keeps": True, "asks": True} if later else {}
    run = _job(settings, pipeline, first, f"dependencies.{_MATRIX}", {"until": last, **more})
    here = {"dependsOn": "plan", "condition": "and(succeeded(), eq(dependencies.plan.outputs['plan.any'], 'true'))"}
    begin: dict[str, Any] = {"stage": first.name, "displayName": pipeline.summary, "jobs": [plan, {**run, **here}]}
    if any(stage.name == "comment" for stage in first.stages):
        begin["jobs"] = [plan, {**run, **here}, _comment(settings, first)]
    if not later:
        return [begin]
    (delivery,) = later
    return [begin, _approval(settings, first), _refused(settings, pipeline, first), _cd(settings, pipeline, delivery)]


def _comment(settings: CiSettings, checked: Job) -> Mapping[str, Any]:
    """A job of its own, without the pull request's code, so that this cannot get at the token that comments."""
    reports = "$(Agent.TempDirectory)/flowyard-reports"
    download = {
        "task": "DownloadPipelineArtifact@2",
        "displayName": "The reports",
        "inputs": {
            "buildType": "current",
            "itemPattern": f"reports-{checked.name}-*/**",
            "targetPath": reports,
        },
    }
    prepare = {"template": "templates/flowyard-prepare.yml", "parameters": {"base": True}}
    env = {"FLOWYARD_REPORTS": reports, "SYSTEM_ACCESSTOKEN": "$(System.AccessToken)"}
    comment = {"bash": COMMENT, "displayName": "Comment on the pull request", "env": env}
    return {
        "job": "comment",
        "dependsOn": ["plan", checked.name],
        "condition": "and(not(canceled()), eq(dependencies.plan.outputs['plan.any'], 'true'))",
        "pool": pool(settings),
        "timeoutInMinutes": "15",
        "steps": [prepare, download, comment],
    }


def _job(
    settings: CiSettings, pipeline: Pipeline, job: Job, matrix: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """One leg for each use case."""
    return {
        "job": job.name,
        "strategy": {"matrix": f"$[ {matrix} ]"},
        "pool": pool(settings),
        "timeoutInMinutes": str(job.timeout_minutes),
        "steps": [
            {
                "template": f"templates/flowyard-run-{pipeline.name}.yml",
                "parameters": {"job": job.name, **parameters},
            }
        ],
    }


def _approval(settings: CiSettings, first: Job) -> Mapping[str, Any]:
    instructions = (
        "The report is on this run's page, with metrics and gates: read it first. Who approves here lets these "
        "versions be deployed; it is written into the ledger, where a no of anybody else still ends it."
    )
    inputs: dict[str, Any] = {"notifyUsers": settings.notify or ""}
    if settings.approvers:
        inputs |= {"approvers": ",".join(settings.approvers), "allowApproversToApproveTheirOwnRuns": False}
    task = {
        "task": "ManualValidation@1",
        "displayName": "Ask",
        "timeoutInMinutes": _ASKED_MINUTES,
        "inputs": {**inputs, "instructions": instructions, "onTimeout": "reject"},
    }
    job = {"job": "people", "pool": "server", "timeoutInMinutes": str(_JOB_MINUTES), "steps": [task]}
    asks = f"eq(dependencies.{first.name}.outputs['plan.plan.asks'], 'true')"
    return {
        "stage": "approval",
        "displayName": "People say yes or no",
        "isSkippable": "false",
        "dependsOn": first.name,
        "condition": f"and(succeeded(), {asks})",
        "jobs": [job],
    }


def _refused(settings: CiSettings, pipeline: Pipeline, first: Job) -> Mapping[str, Any]:
    said = Job("record", ())
    matrix = f"stageDependencies.{first.name}.{_MATRIX}"
    record = _job(settings, pipeline, said, matrix, {"takes": first.name, "keeps": True, "decision": "reject"})
    return {
        "stage": "refused",
        "displayName": "Write the no into the ledger",
        "dependsOn": [first.name, "approval"],
        "condition": "in(dependencies.approval.result, 'Failed', 'Canceled')",
        "jobs": [{**record, "timeoutInMinutes": "15"}],
    }


def _cd(settings: CiSettings, pipeline: Pipeline, job: Job) -> Mapping[str, Any]:
    (first, *_) = pipeline.jobs
    names: Sequence[str] = [stage.name for stage in job.stages]
    stages = {"from": names[0], "until": names[-1]}
    matrix = f"stageDependencies.{first.name}.{_MATRIX}"
    run = _job(settings, pipeline, job, matrix, {**stages, "takes": first.name, "keeps": True, "decision": "approve"})
    conditions = (
        f"in(dependencies.{first.name}.result, {_WENT_WELL})",
        f"in(dependencies.approval.result, {_WENT_WELL}, 'Skipped')",
        f"eq(dependencies.{first.name}.outputs['plan.plan.any'], 'true')",
    )
    people = {"variables": {"people": "$[ stageDependencies.approval.people.result ]"}}
    return {
        "stage": job.name,
        "displayName": f"Deploy to {settings.environments.get(pipeline.env, pipeline.env)}",
        "dependsOn": [first.name, "approval"],
        "condition": f"and({', '.join(conditions)})",
        "lockBehavior": "sequential",
        "jobs": [{**run, **people}],
    }
