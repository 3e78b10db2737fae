"""``flowyard pipeline show``"""

from __future__ import annotations

from dataclasses import asdict

import click

from flowyard.cli.pipeline.options import pipeline_argument
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.pipelines.model import Job, Pipeline, Stage

__all__ = ["show"]


@click.command()
@pipeline_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def show(pipeline: Pipeline, as_json: bool) -> None:
    """Show the stages of a pipeline: what each needs and runs, and where a person answers."""
    if as_json:
        view = asdict(pipeline)
        for job, made in zip(view["jobs"], pipeline.jobs, strict=True):
            job |= {"timeout_minutes": made.timeout_minutes, "permissions": dict(made.permissions)}
        print_json(view)
        return
    click.echo(f"{pipeline.name}: {pipeline.summary}.")
    click.echo(f"Starts with: {_start(pipeline)}\n")
    rows = [_row(job, stage) for job in pipeline.jobs for stage in job.stages]
    print_table(["job", "stage", "needs", "what it does", "at most"], rows, whole=("job", "stage"))
    click.echo("\nCommands:")
    for stage in pipeline.stages:
        click.echo(f"  {stage.name:<16} flowyard {' '.join(stage.command)}")


def _start(pipeline: Pipeline) -> str:
    branches = ", ".join(pipeline.branches)
    if pipeline.trigger == "schedule":
        return f"the clock ({pipeline.schedule}), on {branches}"
    return f"a pull request to {branches}" if pipeline.trigger == "pull_request" else f"a push to {branches}"


def _row(job: Job, stage: Stage) -> tuple[str, ...]:
    marks = [*(["a person answers"] if stage.asks else []), *(["also after a no"] if stage.always else [])]
    text = f"{stage.summary} ({', '.join(marks)})" if marks else stage.summary
    return job.name, stage.name, ", ".join(stage.needs), text, f"{stage.timeout_minutes} min"
