"""``flowyard pipeline report``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.pipeline.options import chosen_use_cases, pipeline_argument
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import NotFound
from flowyard.pipelines.log import PipelineLog, PipelineRecord
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.report import StageReport, write_reports
from flowyard.pipelines.use_cases.inputs import inputs_digest
from flowyard.release import ReleaseLog

__all__ = ["report", "stage_report"]


@click.command()
@pipeline_argument
@click.argument("path", metavar="USECASE")
@click.option("--output", required=True, metavar="DIR", help="Where the files are written.")
@store_options
def report(pipeline: Pipeline, path: str, output: str, home: str | None, as_json: bool) -> None:
    """Write what the last run of a pipeline came to: Markdown, JUnit XML, JSON and the experiment's page.

    Of several changes in one home, that is the last run of the files that are checked out, if there is one.
    """
    settings = read_settings(home)
    (use_case,) = chosen_use_cases(pipeline, [path], None)
    name = use_case.name
    log = PipelineLog(settings.home)
    files = inputs_digest(use_case.root, use_case.folder, [Path(output), settings.home])
    record = log.newest_of_files(name, pipeline.name, files) or log.newest(name, pipeline.name)
    if record is None:
        raise NotFound(
            f"The pipeline {pipeline.name!r} was never run here for {name}.",
            hint=f"flowyard pipeline run {pipeline.name} {path}",
        )
    write_reports(stage_report(settings.home, pipeline, record), Path(output))
    said = f"the reports of {name}/{record.key} are written"
    if as_json:
        print_json({"said": said, "output": output})
    else:
        click.echo(f"{Path(output) / 'summary.md'}: {said}")


def stage_report(home: Path, pipeline: Pipeline, record: PipelineRecord) -> StageReport:
    """A run with the reports of the experiment that it ran, where they are still there."""
    return StageReport(pipeline, record, _experiment_folder(home, record))


def _experiment_folder(home: Path, record: PipelineRecord) -> Path | None:
    """That of the newest release to the environment which began with the run, or after it but before the next run."""
    later = (each.key for each in PipelineLog(home).list(record.name) if each.env == record.env)
    next_run = min((key for key in later if key > record.key), default="~")
    for release in ReleaseLog(home).list(record.name):
        if release.env != record.target or not record.key <= release.key < next_run:
            continue
        noted = next((step.result for step in release.steps if step.name == "experiment"), {})
        if "key" in noted:
            folder = home / "experiments" / str(noted["name"]) / str(noted["key"])
            return folder if folder.is_dir() else None
    return None
