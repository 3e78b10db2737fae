"""The workflow that runs a job's stages for one use case; all others call it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowyard.pipelines.generate.github.actions import action
from flowyard.pipelines.generate.github.steps import Step, checkout, expression, home_variables, prepare, runs_on
from flowyard.pipelines.generate.model import CiSettings

__all__ = ["all_secrets", "call_stages", "declared_secrets", "stages_workflow"]

_ENVIRONMENTS = ("pr", "dev", "prod")

_RUN = """\
flowyard pipeline run "$PIPELINE" "$USECASE" --from "$FROM" --until "$UNTIL" --output "$RUNNER_TEMP/reports"
"""
_SUMMARY = """\
if [ -f "$RUNNER_TEMP/reports/$NAME/summary.md" ]; then
  cat "$RUNNER_TEMP/reports/$NAME/summary.md" >> "$GITHUB_STEP_SUMMARY"
fi
"""
_TRUSTED = "github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository"
"""Whether GitHub gives this job an identity: it gives none to a pull request from a fork."""


def stages_workflow(settings: CiSettings) -> Mapping[str, Any]:
    """Its inputs are one job of one pipeline and one use case; secrets are those that the caller hands on."""
    text = {"required": True, "type": "string"}
    maybe = {"required": False, "type": "string", "default": ""}
    inputs = {
        **dict.fromkeys(("pipeline", "usecase", "name", "from", "until"), text),
        "timeout": {"required": True, "type": "number"},
        **dict.fromkeys(("environment", "ref", "receives", "passes"), maybe),
        **({"client": text} if settings.cloud.login == "azure" else {}),
    }
    call: dict[str, Any] = {"inputs": inputs, "secrets": declared_secrets(all_secrets(settings))}
    return {
        "name": "flowyard stages",
        "on": {"workflow_call": call},
        "defaults": {"run": {"shell": "bash"}},
        "jobs": {
            "stages": {
                "name": expression("inputs.name"),
                "runs-on": runs_on(settings),
                "timeout-minutes": expression("inputs.timeout"),
                "environment": expression("inputs.environment"),
                "steps": list(_steps(settings)),
            }
        },
    }


def all_secrets(settings: CiSettings) -> list[str]:
    """The names of the secrets of all environments."""
    return list(dict.fromkeys(name for env in _ENVIRONMENTS for name in settings.secrets_of(env)))


def declared_secrets(names: Iterable[str]) -> Mapping[str, Any]:
    """As a called workflow declares them; none has to be there."""
    return {name: {"required": False} for name in names}


def call_stages(names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a job that calls the workflow, with the secrets of these names and no others."""
    call: dict[str, Any] = {"uses": "./.github/workflows/flowyard-stages.yml", "with": dict(given)}
    secrets = {name: expression(f"secrets.{name}") for name in names}
    if secrets:
        call["secrets"] = secrets
    return call


def _steps(settings: CiSettings) -> Iterable[Step]:
    yield checkout(ref=expression("inputs.ref"))
    yield from prepare(settings, cache=expression("inputs.environment == '' && 'pip' || ''"))
    if settings.cloud.login == "azure":
        yield _login(settings)
    if settings.hands_over_home:
        yield {
            "name": "Take over what the job before did",
            "if": "inputs.receives != ''",
            "uses": action("actions/download-artifact"),
            "with": {"name": expression("inputs.receives"), "path": settings.home},
        }
    yield {"name": "Run the stages", "env": _environment(settings), "run": _RUN}
    yield {
        "name": "Show the report",
        "if": "!cancelled()",
        "env": {"NAME": expression("inputs.name")},
        "run": _SUMMARY,
    }
    yield {
        "name": "Keep the reports",
        "if": "!cancelled()",
        "uses": action("actions/upload-artifact"),
        "with": {
            "name": expression("format('reports-{0}-{1}-{2}', inputs.pipeline, inputs.from, inputs.name)"),
            "path": f"{expression('runner.temp')}/reports/{expression('inputs.name')}",
            "if-no-files-found": "ignore",
            "overwrite": True,
        },
    }
    if settings.hands_over_home:
        yield {
            "name": "Hand over what was done",
            "if": "inputs.passes != ''",
            "uses": action("actions/upload-artifact"),
            "with": {
                "name": expression("inputs.passes"),
                "path": settings.home,
                "include-hidden-files": True,
                "if-no-files-found": "error",
                "overwrite": True,
                "retention-days": 1,
            },
        }


def _environment(settings: CiSettings) -> dict[str, str]:
    """What the command and its stages see."""
    words = {name.upper(): expression(f"inputs.{name}") for name in ("pipeline", "usecase", "from", "until")}
    secrets = {name: expression(f"secrets.{name}") for name in all_secrets(settings)}
    named = dict.fromkeys(name for env in _ENVIRONMENTS for name in settings.variables_of(env))
    variables = {name: expression(f"vars.{name}") for name in named}
    return {**variables, **secrets, **home_variables(settings), **words}


def _login(settings: CiSettings) -> Step:
    cloud = settings.cloud
    given = {"tenant-id": cloud.tenant, "subscription-id": cloud.subscription}
    variables = {name: expression(f"vars.{variable}") for name, variable in given.items()}
    return {
        "name": "Log in to Azure by federation",
        "if": _TRUSTED,
        "uses": action("azure/login"),
        "with": {"client-id": expression("inputs.client"), **variables},
    }
