"""The pipelines, said once: files for GitHub, Azure DevOps and Jenkins are written from this, and a laptop runs it."""

from __future__ import annotations

from flowyard.pipelines.model import Job, Pipeline, Stage

__all__ = ["HOME_FOLDER", "PIPELINES"]

HOME_FOLDER = ".flowyard"
"""What jobs pass on: the store, the registry, the ledger and the journals, unless these are in a database.

Then its ``pipelines`` and ``releases`` are enough.
"""

_RELEASE = ("release", "{usecase}", "--env", "{env}")
_MEASURED = (*_RELEASE, "--no-register")
_OF_VERSION = (*_RELEASE, "--version", "{version}")
_PROMOTED = (*_OF_VERSION, "--evaluate")
_HOUR_AND_MORE = 75
"""Approvals end after 60 minutes unless a policy says otherwise: the stage, and more so its job, has to live longer."""


def _validate() -> Stage:
    return Stage(
        "validate",
        "Check flows, YAML and Python, and run the use case's tests",
        ("pipeline", "validate", "{usecase}", "--junit", "{reports}/validate.junit.xml"),
        writes=("validate.junit.xml",),
    )


def _step(
    name: str, step: str, summary: str, needs: str, start: tuple[str, ...], *, result: tuple[str, ...] = ()
) -> Stage:
    """A step of a release."""
    calls_models = step == "experiment"
    return Stage(
        name,
        summary,
        (*start, "--until", step),
        needs=(needs,) if needs else (),
        result=result,
        timeout_minutes=180 if calls_models else 15,
        calls_models=calls_models,
    )


def _delivery(start: tuple[str, ...], needs: str) -> tuple[Stage, ...]:
    """From a registered version to its tested endpoint."""
    build = "Build its image" if "--no-build" not in start else "Take the image that was deployed before, by its digest"
    return (
        Stage(
            "approval",
            "Ask people, and wait for the answer",
            (*start, "--until", "approval"),
            needs=(needs,),
            timeout_minutes=_HOUR_AND_MORE,
            deploys=True,
            asks=True,
        ),
        Stage(
            "build",
            build,
            (*start, "--until", "build"),
            needs=("approval",),
            timeout_minutes=60,
            deploys=True,
            reaches_target=True,
        ),
        Stage(
            "deploy",
            "Create the deployment, without requests",
            (*start, "--until", "deploy"),
            needs=("build",),
            timeout_minutes=60,
            deploys=True,
            reaches_target=True,
        ),
        Stage(
            "smoke",
            "Test it alone, then give it the requests, or all is as before",
            (*start, "--until", "test"),
            needs=("deploy",),
            timeout_minutes=30,
            deploys=True,
            reaches_target=True,
        ),
        Stage(
            "integration",
            "Test the endpoint: refusals, golden answers and a small load",
            (
                *("endpoint", "test", "--usecase", "{usecase}", "--env", "{env}", "--suite", "integration"),
                *("--junit", "{reports}/integration.junit.xml"),
            ),
            needs=("smoke",),
            writes=("integration.junit.xml",),
            timeout_minutes=30,
            deploys=True,
            reaches_target=True,
        ),
    )


def _report(name: str, pipeline: str) -> Stage:
    return Stage(
        name,
        "Write what came out",
        ("pipeline", "report", pipeline, "{usecase}", "--output", "{reports}"),
        writes=("summary.md", "report.junit.xml", "pipeline.json", "experiment.html", "experiment.junit.xml"),
        always=True,
    )


def _pull_request() -> Pipeline:
    return Pipeline(
        "pr",
        "What a pull request changes: checked, measured, judged and told",
        env="pr",
        trigger="pull_request",
        branches=("development", "main"),
        jobs=(
            Job(
                "check",
                (
                    _validate(),
                    _step("experiment", "experiment", "Run and evaluate every variant", "validate", _MEASURED),
                    _step("gate", "gates", "Judge what would ship by its gates", "experiment", _MEASURED),
                    _report("report", "pr"),
                    Stage(
                        "comment",
                        "Tell it in one comment on the pull request, updated in place",
                        ("pipeline", "comment", "--file", "{reports}/summary.md"),
                        needs=("report",),
                        always=True,
                        timeout_minutes=5,
                    ),
                ),
                permissions=(("contents", "read"), ("pull-requests", "write")),
                cloud_login=True,
            ),
        ),
    )


def _first_environment() -> Pipeline:
    return Pipeline(
        "dev",
        "What was merged: registered when its gates say so, approved, deployed and tested",
        env="dev",
        trigger="push",
        branches=("development",),
        jobs=(
            Job(
                "ci",
                (
                    _validate(),
                    _step("data", "data", "Register the data", "validate", _RELEASE),
                    _step("experiment", "experiment", "Run and evaluate every variant", "data", _RELEASE),
                    _step("gate", "gates", "Judge what would ship by its gates", "experiment", _RELEASE),
                    _step(
                        "register",
                        "register",
                        "Register the flow as it ships",
                        "gate",
                        _RELEASE,
                        result=("version", "digest"),
                    ),
                    _report("report", "dev"),
                ),
                passes=(HOME_FOLDER,),
                cloud_login=True,
            ),
            Job(
                "cd",
                (*_delivery(_OF_VERSION, "register"), _report("delivery-report", "dev")),
                needs=("ci",),
                passes=(HOME_FOLDER,),
                environment="dev",
                cloud_login=True,
                exclusive=True,
            ),
        ),
    )


def _production() -> Pipeline:
    return Pipeline(
        "prod",
        "The version that serves in dev, by its digest: judged again, approved, deployed, never rebuilt",
        env="prod",
        trigger="push",
        branches=("main",),
        takes_version="production@dev",
        jobs=(
            Job(
                "evaluate",
                (
                    _validate(),
                    _step(
                        "promote",
                        "version",
                        "Take the version, and check that the files here are its own",
                        "validate",
                        _PROMOTED,
                        result=("version", "digest"),
                    ),
                    _step("experiment", "experiment", "Run and evaluate every variant", "promote", _PROMOTED),
                    _step("gate", "gates", "Judge it by production's gates", "experiment", _PROMOTED),
                    _step("record", "register", "Write down with the version what was measured", "gate", _PROMOTED),
                    _report("report", "prod"),
                ),
                passes=(HOME_FOLDER,),
                cloud_login=True,
            ),
            Job(
                "cd",
                (*_delivery((*_OF_VERSION, "--no-build"), "record"), _report("delivery-report", "prod")),
                needs=("evaluate",),
                passes=(HOME_FOLDER,),
                environment="prod",
                cloud_login=True,
                exclusive=True,
            ),
        ),
    )


def _after_production() -> Pipeline:
    return Pipeline(
        "post",
        "What was collected in production, evaluated by the clock",
        env="prod",
        trigger="schedule",
        schedule="0 5 * * *",
        branches=("main",),
        jobs=(
            Job(
                "monitor",
                (
                    Stage(
                        "monitor",
                        "Evaluate what was collected",
                        ("monitor", "evaluate", "{usecase}", "--env", "{env}"),
                        timeout_minutes=180,
                        calls_models=True,
                        reaches_target=True,
                    ),
                ),
                cloud_login=True,
            ),
        ),
    )


PIPELINES = {each.name: each for each in (_pull_request(), _first_environment(), _production(), _after_production())}
"""By their names."""
