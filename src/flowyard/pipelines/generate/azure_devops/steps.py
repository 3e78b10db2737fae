"""Templates of steps: what prepares a machine, and what runs stages of a pipeline for one use case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard.pipelines.generate.azure_devops import scripts
from flowyard.pipelines.generate.model import CiSettings
from flowyard.pipelines.model import Pipeline

__all__ = ["MATRIX_VARIABLES", "connection_of", "group_of", "prepare_template", "run_template"]

MATRIX_VARIABLES = {"usecase": "$(usecase)", "name": "$(name)"}
"""What a leg of the matrix knows of its use case."""

_PARCEL = "$(Agent.TempDirectory)/flowyard-home"
_TAKEN = "$(Agent.TempDirectory)/flowyard-taken"
_REPORTS = "$(Agent.TempDirectory)/flowyard-reports"
_SOURCES = "$(Build.SourcesDirectory)"
_IS_FORK = "variables['System.PullRequest.IsFork']"
_ALWAYS = "succeededOrFailed()"


def connection_of(settings: CiSettings, env: str) -> str | None:
    """The service connection of an environment; None without a login."""
    return f"{settings.cloud.service_connection}-{env}" if settings.cloud.login == "azure" else None


def group_of(settings: CiSettings, env: str) -> str | None:
    """The variable group of an environment: the one that is named, else the one beside its service connection."""
    return settings.groups.get(env) or connection_of(settings, env)


def prepare_template(settings: CiSettings) -> Mapping[str, Any]:
    """The repository with its whole history, Python, and flowyard.

    With ``base`` nothing of a pull request is installed or run: the files are those of the branch that it goes to,
    and what a job before could have left in a cache is not taken.
    """
    cache = "$(Pipeline.Workspace)/.pip"
    lock = f" | {settings.install.requirements}" if settings.install.requirements else ""
    version = settings.install.words[-1] if not settings.install.requirements else "locked"
    words = " ".join(f"'{each}'" for each in settings.install.words)
    install = {"bash": scripts.INSTALL % words, "displayName": "Install flowyard"}
    kept = {
        "task": "Cache@2",
        "displayName": "Packages that were downloaded before",
        "inputs": {
            "key": f'pip | "$(Agent.OS)" | "{settings.python}" | "{version}"{lock}',
            "path": cache,
        },
    }
    return {
        "parameters": [{"name": "base", "type": "boolean", "default": "false"}],
        "steps": [
            {"checkout": "self", "fetchDepth": "0", "clean": "true", "persistCredentials": "false"},
            {
                "task": "UsePythonVersion@0",
                "displayName": f"Python {settings.python}",
                "inputs": {"versionSpec": settings.python},
            },
            {
                "${{ if eq(parameters.base, true) }}": [
                    {"bash": scripts.BASE, "displayName": "Only files of the branch it goes to"},
                    install,
                ]
            },
            {"${{ if ne(parameters.base, true) }}": [kept, {**install, "env": {"PIP_CACHE_DIR": cache}}]},
        ],
    }


def run_template(settings: CiSettings, pipeline: Pipeline) -> Mapping[str, Any]:
    """Prepare, take what an earlier job kept, run, publish what came out, keep it for a later job.

    Parameters: ``usecase`` and ``name`` (by default those of the matrix), ``from`` and ``until`` (stages), ``job``
    (what its artifacts are named for), ``takes`` (the job whose home it goes on with), ``keeps``, ``asks`` (ask people
    at the end, and do not wait), ``decision`` (what people said in the pipeline: ``approve``, ``reject`` or nothing;
    ``reject`` runs no stage).
    """
    return {"parameters": _parameters(pipeline), "steps": _steps(settings, pipeline)}


def _parameters(pipeline: Pipeline) -> Sequence[Mapping[str, Any]]:
    stages = ["", *(stage.name for stage in pipeline.stages)]
    listed: list[Mapping[str, Any]] = [
        {"name": name, "type": "string", "default": value} for name, value in MATRIX_VARIABLES.items()
    ]
    last = next(each for each in reversed(stages) if each != "comment") if "comment" in stages else ""
    listed.append({"name": "from", "type": "string", "default": "", "values": stages})
    listed.append({"name": "until", "type": "string", "default": last, "values": stages})
    listed.append({"name": "job", "type": "string", "default": "run"})
    listed.append({"name": "takes", "type": "string", "default": ""})
    listed += [{"name": name, "type": "boolean", "default": "false"} for name in ("keeps", "asks")]
    listed.append({"name": "decision", "type": "string", "default": "", "values": ["", "approve", "reject"]})
    return listed


def _steps(settings: CiSettings, pipeline: Pipeline) -> list[Mapping[str, Any]]:
    steps: list[Mapping[str, Any]] = [{"template": "flowyard-prepare.yml"}]
    if settings.hands_over_home:
        steps.append({"${{ if ne(parameters.takes, '') }}": _take_home(settings)})
    run = _command(settings, pipeline, "Run the stages", scripts.RUN, _stage_values())
    answer = _command(settings, pipeline, "Write down what people said", scripts.ANSWER, _answer_values(settings))
    if any(stage.asks for stage in pipeline.stages):
        approved = {**answer, "condition": "and(succeeded(), eq(variables['people'], 'Succeeded'))"}
        steps.append({"${{ if eq(parameters.decision, 'approve') }}": [approved]})
        steps.append({"${{ if eq(parameters.decision, 'reject') }}": [answer]})
        steps.append({"${{ if ne(parameters.decision, 'reject') }}": [run, *_publish()]})
    elif pipeline.trigger == "pull_request":
        steps += [*_unless_fork(settings, pipeline, run), *_publish()]
    else:
        steps += [run, *_publish()]
    if settings.hands_over_home:
        steps.append({"${{ if eq(parameters.keeps, true) }}": _keep_home(settings)})
    return steps


def _unless_fork(settings: CiSettings, pipeline: Pipeline, run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a fork brings is run without secrets and without a login, also where the project lets forks have them."""
    names = (*settings.secrets_of(pipeline.env), *settings.variables_of(pipeline.env))
    if not names and connection_of(settings, pipeline.env) is None:
        return [run]
    env = {**_values(settings, pipeline), **_stage_values(), "FLOWYARD_GIVEN": ""}
    fork = {"bash": scripts.RUN, "displayName": "Run the stages of a fork", "env": env}
    return [
        {**run, "condition": f"and(succeeded(), ne({_IS_FORK}, 'True'))"},
        {**fork, "condition": f"and(succeeded(), eq({_IS_FORK}, 'True'))"},
    ]


def _stage_values() -> Mapping[str, str]:
    return {
        "FLOWYARD_FROM": "${{ parameters.from }}",
        "FLOWYARD_UNTIL": "${{ parameters.until }}",
        "FLOWYARD_ASK": "${{ lower(parameters.asks) }}",
    }


def _answer_values(settings: CiSettings) -> Mapping[str, str]:
    """Azure DevOps does not tell a pipeline who answered: it is known where only one person may."""
    who = settings.approvers[0] if len(settings.approvers) == 1 else "manual validation in Azure DevOps"
    return {"FLOWYARD_BY": who, "FLOWYARD_DECISION": "${{ parameters.decision }}"}


def _command(
    settings: CiSettings, pipeline: Pipeline, title: str, script: str, values: Mapping[str, str]
) -> dict[str, Any]:
    """A step with the secrets, and with the login where there is one."""
    names = (*settings.secrets_of(pipeline.env), *settings.variables_of(pipeline.env))
    env = {**_values(settings, pipeline), **values, "FLOWYARD_GIVEN": " ".join(names)}
    env |= {name: f"$({name})" for name in names}
    connection = connection_of(settings, pipeline.env)
    if connection is None:
        return {"bash": script, "displayName": title, "env": env}
    inputs: dict[str, Any] = {
        "azureSubscription": connection,
        "scriptType": "bash",
        "scriptLocation": "inlineScript",
        "inlineScript": script,
        "workingDirectory": _SOURCES,
    }
    if pipeline.trigger == "pull_request":  # its code gets no token by which it could comment or push
        inputs["keepAzSessionActive"] = True
    else:
        env["SYSTEM_ACCESSTOKEN"] = "$(System.AccessToken)"
    return {"task": "AzureCLI@2", "displayName": title, "inputs": inputs, "env": env}


def _values(settings: CiSettings, pipeline: Pipeline) -> dict[str, str]:
    return {
        "FLOWYARD_HOME": _home(settings),
        "FLOWYARD_PIPELINE": pipeline.name,
        "FLOWYARD_USE_CASE": "${{ parameters.usecase }}",
        "FLOWYARD_REPORTS": _REPORTS,
    }


def _home(settings: CiSettings) -> str:
    return f"{_SOURCES}/{settings.home}" if settings.hands_over_home else settings.home


def _publish() -> list[Mapping[str, Any]]:
    return [
        {
            "bash": scripts.SHOW,
            "displayName": "Show the report in the run",
            "condition": _ALWAYS,
            "env": {"FLOWYARD_REPORTS": _REPORTS},
        },
        {
            "task": "PublishTestResults@2",
            "displayName": "Stages and tests",
            "condition": _ALWAYS,
            "inputs": {
                "testResultsFormat": "JUnit",
                "testResultsFiles": "**/*.junit.xml",
                "searchFolder": _REPORTS,
                "testRunTitle": "${{ parameters.job }} ${{ parameters.name }}",
            },
        },
        {
            "task": "PublishPipelineArtifact@1",
            "displayName": "Reports",
            "condition": _ALWAYS,
            "inputs": {
                "targetPath": _REPORTS,
                "artifact": "reports-${{ parameters.job }}-${{ parameters.name }}-$(System.JobAttempt)",
            },
        },
    ]


def _take_home(settings: CiSettings) -> list[Mapping[str, Any]]:
    """What every attempt of the job kept, in a folder each: which of them was the last is known on the machine only."""
    inputs = {"buildType": "current", "itemPattern": _attempts(), "targetPath": _TAKEN}
    names = {
        "FLOWYARD_TAKEN": _TAKEN,
        "FLOWYARD_TAKES": "${{ parameters.takes }}",
        "FLOWYARD_NAME": "${{ parameters.name }}",
    }
    return [
        {"task": "DownloadPipelineArtifact@2", "displayName": "What the job before kept", "inputs": inputs},
        _home_step(settings, "Go on with it", scripts.TAKE_HOME, names),
    ]


def _attempts() -> str:
    """The artifacts of up to 99 attempts; a name after ``*`` would be the end of other names, too."""
    tries = ("[0-9]", "[0-9][0-9]")
    return "\n".join(f"home-${{{{ parameters.takes }}}}-{each}-${{{{ parameters.name }}}}/**" for each in tries)


def _keep_home(settings: CiSettings) -> list[Mapping[str, Any]]:
    """The attempt is in its name: a run cannot have two artifacts of one name, and stages can be run again."""
    artifact = "home-${{ parameters.job }}-$(System.JobAttempt)-${{ parameters.name }}"
    return [
        _home_step(settings, "Keep it for the next job", scripts.KEEP_HOME, {"FLOWYARD_PARCEL": _PARCEL}),
        {
            "task": "PublishPipelineArtifact@1",
            "displayName": "For the next job",
            "inputs": {"targetPath": _PARCEL, "artifact": artifact},
        },
    ]


def _home_step(settings: CiSettings, title: str, script: str, names: Mapping[str, str]) -> Mapping[str, Any]:
    env = {"FLOWYARD_HOME": _home(settings), **names}
    return {"bash": script, "displayName": title, "env": env}
