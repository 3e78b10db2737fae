"""The pipelines as data: whole, and made of commands that there are."""

from __future__ import annotations

import click
import pytest

from flowyard.cli.main import cli
from flowyard.pipelines import PIPELINES, Pipeline, Stage

ALL = [(pipeline, stage) for pipeline in PIPELINES.values() for stage in pipeline.stages]
PLACEHOLDERS = {"{usecase}": "u", "{env}": "e", "{version}": "1", "{reports}": "r"}


def command_of(words: tuple[str, ...]) -> tuple[click.Command, list[str]]:
    """The command that words lead to, and the rest of them."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        context = click.Context(command)
        found = command.get_command(context, rest[0])
        if found is None:
            found = command.get_command(context, "run")  # of `release`, the usual one
            assert found is not None, words
        else:
            rest = rest[1:]
        command = found
    return command, rest


@pytest.mark.parametrize(("pipeline", "stage"), ALL, ids=[f"{each.name}-{stage.name}" for each, stage in ALL])
def test_each_stage_is_one_command(pipeline: Pipeline, stage: Stage):
    words = tuple(stage.command)
    for name, value in PLACEHOLDERS.items():
        words = tuple(word.replace(name, value) for word in words)
    assert not any(set(word) & set("{}") for word in words)
    command, rest = command_of(words)
    context = command.make_context(stage.name, [*rest, "--json"])
    assert context.params["as_json"] is True
    assert any(word.startswith("{reports}") for word in stage.command) or not stage.writes
    assert (stage.asks and stage.deploys) == ("approval" in stage.command)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=list(PIPELINES))
def test_stages_need_what_came_before(pipeline: Pipeline):
    seen: list[str] = []
    for stage in pipeline.stages:
        assert set(stage.needs) <= set(seen)
        assert stage.name not in seen
        seen.append(stage.name)
        assert pipeline.stage(stage.name) is stage
    jobs: list[str] = []
    for job in pipeline.jobs:
        assert set(job.needs) <= set(jobs)
        jobs.append(job.name)
        assert job.timeout_minutes > max(stage.timeout_minutes for stage in job.stages)
        assert all(pipeline.job_of(stage.name) is job for stage in job.stages)
        asks = any(stage.asks for stage in job.stages)
        assert (job.environment is not None, job.exclusive) == (asks, asks)
        assert any(stage.always for stage in job.stages) or pipeline.name == "post"


def test_production_registers_and_builds_nothing():
    prod = PIPELINES["prod"]
    releases = [stage.command for stage in prod.stages if stage.command[0] == "release"]
    assert all("--version" in words for words in releases)
    delivery = [words for words in releases if words[-1] in ("build", "deploy", "test")]
    assert len(delivery) == 3
    assert all("--no-build" in words for words in delivery)


def test_a_pull_request_registers_and_deploys_nothing():
    names = [stage.name for stage in PIPELINES["pr"].stages]
    assert names == ["validate", "experiment", "gate", "report", "comment"]
    assert all("--no-register" in each.command for each in PIPELINES["pr"].stages if each.command[0] == "release")
