"""The workflows that events start: what runs for which use cases, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.pipelines.generate.github.pull_request import comment_job, only_releases, result_job
from flowyard.pipelines.generate.github.stages_workflow import call_stages, declared_secrets
from flowyard.pipelines.generate.github.steps import checkout, expression, prepare, runs_on
from flowyard.pipelines.generate.logins import client_variable, logs_in
from flowyard.pipelines.generate.model import APPROVAL_KEY, CiSettings
from flowyard.pipelines.model import Job, Pipeline, Stage

__all__ = ["entry_workflow", "use_case_workflow"]

_READ = {"contents": "read"}
_SINCE = {
    "pull_request": "github.event.pull_request.base.sha",
    "push": "github.event.before",
}
_PLAN = """\
words=(--below %s)
if [ -n "$SINCE" ]; then
  words+=(--changed-since "$SINCE")
fi
matrix=$(flowyard pipeline plan %s "${words[@]}" --json)
case "$matrix" in
  *'"usecase"'*) any=true ;;
  *) any=false ;;
esac
{
  echo "matrix=$matrix"
  echo "any=$any"
} >> "$GITHUB_OUTPUT"
"""


def entry_workflow(pipeline: Pipeline, settings: CiSettings) -> Mapping[str, Any]:
    """The workflow of a pipeline: it finds the use cases, and has each done by itself."""
    jobs: dict[str, Any] = {"plan": _plan(pipeline, settings)}
    name = pipeline.jobs[0].name if len(pipeline.jobs) == 1 else "use-case"
    jobs[name] = _matrix_job(pipeline, settings)
    workflow: dict[str, Any] = {
        "name": f"flowyard {pipeline.name}",
        "on": _events(pipeline, settings),
        "permissions": {},
        "defaults": {"run": {"shell": "bash"}},
    }
    if pipeline.trigger == "pull_request":
        group = f"flowyard-{pipeline.name}-{expression('github.event.pull_request.number')}"
        workflow["concurrency"] = {"group": group, "cancel-in-progress": True}
        jobs["comment"] = comment_job(pipeline, settings, name)
        jobs["result"] = result_job(settings, name)
    return {**workflow, "jobs": jobs}


def use_case_workflow(pipeline: Pipeline, settings: CiSettings) -> Mapping[str, Any]:
    """The jobs of a pipeline with several, for one use case: what fails in one use case holds up no other."""
    text = {"required": True, "type": "string"}
    call: dict[str, Any] = {"inputs": {"usecase": text, "name": text}}
    if secrets := declared_secrets(settings.secrets_of(pipeline.env)):
        call["secrets"] = secrets
    jobs = {job.name: _use_case_job(pipeline, job, settings, "inputs") for job in pipeline.jobs}
    name = f"flowyard {pipeline.name}, one use case"
    return {"name": name, "on": {"workflow_call": call}, "permissions": {}, "jobs": jobs}


def _events(pipeline: Pipeline, settings: CiSettings) -> Mapping[str, Any]:
    branches = [settings.branches.named(branch) for branch in pipeline.branches]
    if pipeline.trigger == "pull_request":
        return {"pull_request": {"branches": [*branches, f"{settings.branches.release}**"]}}
    if pipeline.trigger == "schedule":
        return {"schedule": [{"cron": pipeline.schedule}], "workflow_dispatch": {}}
    return {"push": {"branches": branches}, "workflow_dispatch": {}}


def _plan(pipeline: Pipeline, settings: CiSettings) -> Mapping[str, Any]:
    since = expression(_SINCE[pipeline.trigger]) if pipeline.trigger in _SINCE else ""
    steps = [
        *(only_releases(settings) if pipeline.trigger == "pull_request" else ()),
        checkout(ref=_ref(pipeline, settings), history=True),
        *prepare(settings),
        {
            "name": "Find the use cases",
            "id": "plan",
            "env": {"SINCE": since},
            "run": _PLAN % (settings.use_cases, pipeline.name),
        },
    ]
    job: dict[str, Any] = {"name": "plan"}
    if pipeline.trigger == "push":  # it can also be started by hand, from any branch
        refs = (f"refs/heads/{settings.branches.named(branch)}" for branch in pipeline.branches)
        job["if"] = " || ".join(f"github.ref == '{ref}'" for ref in refs)
    outputs = {name: expression(f"steps.plan.outputs.{name}") for name in ("matrix", "any")}
    return {
        **job,
        "runs-on": runs_on(settings),
        "timeout-minutes": 15,
        "permissions": _READ,
        "outputs": outputs,
        "steps": steps,
    }


def _matrix_job(pipeline: Pipeline, settings: CiSettings) -> Mapping[str, Any]:
    """All use cases, each with its jobs."""
    matrix = {"fail-fast": False, "matrix": expression("fromJSON(needs.plan.outputs.matrix)")}
    start = {"needs": "plan", "if": "needs.plan.outputs.any == 'true'", "strategy": matrix}
    if len(pipeline.jobs) == 1:
        return {**start, **_use_case_job(pipeline, pipeline.jobs[0], settings, "matrix")}
    secrets = {name: expression(f"secrets.{name}") for name in settings.secrets_of(pipeline.env)}
    permissions = {name: right for job in pipeline.jobs for name, right in _permissions(job, settings).items()}
    return {
        "name": expression("matrix.name"),
        **start,
        "permissions": permissions,
        "uses": f"./.github/workflows/flowyard-{pipeline.name}-use-case.yml",
        "with": {"usecase": expression("matrix.usecase"), "name": expression("matrix.name")},
        **({"secrets": secrets} if secrets else {}),
    }


def _use_case_job(pipeline: Pipeline, job: Job, settings: CiSettings, context: str) -> Mapping[str, Any]:
    """One job of one use case, whose folder and name are in ``context``."""
    stages = _own_stages(job)
    given: dict[str, Any] = {
        "pipeline": pipeline.name,
        "usecase": expression(f"{context}.usecase"),
        "name": expression(f"{context}.name"),
        "from": stages[0].name,
        "until": stages[-1].name,
        "timeout": job.timeout_minutes,
    }
    if job.environment is not None:
        given["environment"] = settings.environments[job.environment]
    if logs_in(job, settings):
        given["client"] = expression(f"vars.{client_variable(pipeline, job, settings)}")
    if (ref := _ref(pipeline, settings)) is not None:
        given["ref"] = ref
    if settings.hands_over_home:
        if job.needs:
            given["receives"] = _home_name(pipeline, job.needs[0], context)
        if job.passes and any(job.name in other.needs for other in pipeline.jobs):
            given["passes"] = _home_name(pipeline, job.name, context)
    made: dict[str, Any] = {"name": expression(f"{context}.name")} if context == "matrix" else {"name": job.name}
    if job.needs:
        made["needs"] = list(job.needs)
    if job.exclusive:
        group = f"flowyard-{pipeline.name}-{job.name}-{expression(f'{context}.name')}"
        made["concurrency"] = {"group": group, "cancel-in-progress": False}
    return {
        **made,
        "permissions": _permissions(job, settings),
        **call_stages(_job_secrets(pipeline, job, settings), given),
    }


def _job_secrets(pipeline: Pipeline, job: Job, settings: CiSettings) -> list[str]:
    """Answers are sealed where people are asked, which is in an environment: other jobs get no key."""
    named = settings.secrets_of(pipeline.env)
    return [name for name in named if job.environment is not None or name != APPROVAL_KEY]


def _own_stages(job: Job) -> list[Stage]:
    """Those that run with the use case's code: the comment is written by a job that has none of it."""
    return [stage for stage in job.stages if not _comments(stage)]


def _comments(stage: Stage) -> bool:
    return stage.command[:2] == ("pipeline", "comment")


def _home_name(pipeline: Pipeline, job: str, context: str) -> str:
    return f"home-{pipeline.name}-{job}-{expression(f'{context}.name')}"


def _permissions(job: Job, settings: CiSettings) -> dict[str, str]:
    """Reading the files and, where it logs in, an identity; rights to write are of the job that comments."""
    identity = {"id-token": "write"} if logs_in(job, settings) else {}
    return {**{name: right for name, right in job.permissions if right == "read"}, **identity}


def _ref(pipeline: Pipeline, settings: CiSettings) -> str | None:
    """The clock starts a workflow on the default branch, which need not be the one that is meant."""
    return settings.branches.named(pipeline.branches[0]) if pipeline.trigger == "schedule" else None
