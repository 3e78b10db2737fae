"""``flowyard pipeline run``"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from flowyard import __version__
from flowyard._util.ci_commands import without_ci_commands, without_ci_commands_in_json
from flowyard._util.files import dump_json, write_atomic
from flowyard._util.person import person_name
from flowyard._util.printable import printable_text
from flowyard.app import App, open_app
from flowyard.cli.pipeline.options import UseCase, chosen_use_cases, pipeline_argument
from flowyard.cli.pipeline.process import run_command
from flowyard.cli.pipeline.report import stage_report
from flowyard.cli.shared.journals import print_end, print_step
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.config.read import has_environment
from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.pipelines.log import FILES, PipelineLog, PipelineRecord
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.report import (
    StageReport,
    exit_code,
    record_view,
    render_junit,
    render_markdown,
    worst,
    write_reports,
)
from flowyard.pipelines.run import PipelineParts, begun, go_through, require_stage, stages_until_version
from flowyard.pipelines.use_cases.inputs import inputs_digest
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry
from flowyard.steps import StepRecord

__all__ = ["run"]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for, the same for every use case."""

    pipeline: Pipeline
    start: str | None
    until: str | None
    version: str | None
    new: bool
    waits: bool
    output: Path | None


@click.command()
@pipeline_argument
@click.argument("paths", nargs=-1, metavar="[USECASE]...")
@click.option("--from", "start", metavar="STAGE", help="Begin with this stage; what it needs has to be done.")
@click.option("--until", metavar="STAGE", help="Stop after this stage; the same command goes on.")
@click.option("--changed-since", "since", metavar="REV", help="Only use cases that the change since then touches.")
@click.option("--version", metavar="NUMBER|ALIAS", help="prod: which version (default: what serves in dev).")
@click.option("--no-wait", is_flag=True, help="Ask for approval, but do not wait; the same command goes on.")
@click.option("--new", is_flag=True, help="Begin anew, although this was run for the same files.")
@click.option("--output", metavar="DIR", help="Write reports there (default: beside the run in .flowyard).")
@click.option("--junit", metavar="FILE", help="Write all stages as JUnit XML.")
@click.option("--markdown", metavar="FILE", help="Write all stages as Markdown, for a job's summary.")
@running_options
def run(
    pipeline: Pipeline,
    paths: Sequence[str],
    start: str | None,
    until: str | None,
    since: str | None,
    version: str | None,
    no_wait: bool,
    new: bool,
    output: str | None,
    junit: str | None,
    markdown: str | None,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Go through the stages of a pipeline for use cases: those named, those changed, or all of the repository.

    What was done for the same files is not done again: when it is stopped, at any stage, the same command goes on.
    Exits as the commands of the stages do: 1 a test failed, 3 a gate said no, 4 not approved.
    """
    for stage in (start, until):
        require_stage(pipeline, stage)
    if version is not None and pipeline.takes_version is None:
        raise UserError(f"The pipeline {pipeline.name!r} registers the files here; --version is for prod.")
    wanted = _Wanted(pipeline, start, until, version, new, not no_wait, Path(output) if output else None)
    settings = read_settings(home, env_file, simulate)
    use_cases = chosen_use_cases(pipeline, paths, since)
    if not use_cases:
        click.echo("No use case is touched: nothing to do.", err=True)
    reports: list[StageReport] = []
    views: list[dict[str, Any]] = []
    _write(reports, wanted.output, junit, markdown)  # before any work, so that a wrong place is told at once
    for use_case in use_cases:
        try:
            if use_case.problem is not None:
                raise use_case.problem
            report = _go_through(wanted, use_case, open_app(settings, use_case.path))
            code = exit_code(report.record, until)
            views.append({**record_view(report), "usecase": use_case.folder, "exit_code": code})
        except (FlowyardError, OSError) as found:
            error = found if isinstance(found, FlowyardError) else OutsideError.of_system(found)
            report = _not_carried_out(pipeline, use_case, error)
            if len(use_cases) == 1:
                with suppress(OSError):
                    _write([report], wanted.output, junit, markdown)
                raise
            views.append(_said_no(pipeline, use_case, error))
        reports.append(report)
        _write(reports, wanted.output, junit, markdown)
    code = worst(int(each["exit_code"]) for each in views)
    if as_json:
        view = {"pipeline": pipeline.name, "exit_code": code, "usecases": views}
        click.echo(without_ci_commands_in_json(dump_json(view, indent=2)))
    return code


def _said_no(pipeline: Pipeline, use_case: UseCase, error: FlowyardError) -> dict[str, Any]:
    """A use case that could not even begin, such as one that was never deployed to dev; the others go on."""
    hint = f" {error.hint}" if error.hint else ""
    said = f"{use_case.name} ({use_case.folder}): {error}{hint}"
    click.secho(without_ci_commands(printable_text(said)), fg="red", err=True)
    facts = {"pipeline": pipeline.name, "name": use_case.name, "usecase": use_case.folder, "state": "refused"}
    return {**facts, "exit_code": int(error.exit_code), "said": str(error), "stages": []}


def _not_carried_out(pipeline: Pipeline, use_case: UseCase, error: FlowyardError) -> StageReport:
    """What reports tell of it: without that, they would tell of those only that were."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    step = StepRecord("begin", "refused", said=str(error), exit_code=int(error.exit_code))
    record = PipelineRecord(use_case.name, "", pipeline.name, pipeline.env, "", now, {}, (step,), Path())
    return StageReport(pipeline, record)


def _go_through(wanted: _Wanted, use_case: UseCase, app: App) -> StageReport:
    """All stages of one use case; its reports are written whatever came out."""
    log = PipelineLog(app.settings.home)
    pipeline = wanted.pipeline
    print_warnings(f"The run {each} is left out: its file is damaged." for each in log.damaged(use_case.name))
    asks = any(each.asks for each in pipeline.stages)  # then the other may wait for people, for an hour
    with log.alone(use_case.name, pipeline.name, None if asks else partial(_say_wait, use_case.name, pipeline.name)):
        parts = _parts(wanted, use_case, app)
        record = begun(parts, log, new=wanted.new, start=wanted.start, until=wanted.until)
        _say_begin(record, parts)
        try:
            record = go_through(
                parts,
                log,
                record,
                start=wanted.start,
                until=wanted.until,
                on_begin=print_step,
                on_end=_print_end,
            )
        except KeyboardInterrupt:
            click.echo("What is done is kept. The same command goes on.", err=True)
            raise
    report = stage_report(app.settings.home, pipeline, record)
    write_reports(report, parts.reports(record))
    return report


def _say_wait(name: str, pipeline: str) -> None:
    click.echo(f"Waiting for another process that runs the pipeline {pipeline} of {name} …", err=True)


def _print_end(step: StepRecord) -> None:
    print_end(replace(step, said=" ".join(without_ci_commands(step.said).replace("::", ":\u200b:").split())))


def _parts(wanted: _Wanted, use_case: UseCase, app: App) -> PipelineParts:
    pipeline = wanted.pipeline
    outputs = [each for each in (wanted.output, app.settings.home) if each is not None]
    files = inputs_digest(use_case.root, use_case.folder, outputs)
    versions = {FILES: files, "flowyard": __version__}
    version = _promoted(wanted, use_case, app, files)
    if version is not None:
        versions["the version"] = f"{version.label} {version.digest}"
    return PipelineParts(
        pipeline=pipeline,
        name=use_case.name,
        use_case=use_case.shown,
        by=person_name(app.environ),
        versions=versions,
        reports=partial(_reports_folder, wanted.output, use_case.name),
        run_command=run_command,
        deploys=any(each.deploys for each in pipeline.stages) and has_environment(use_case.path, pipeline.env),
        version=str(version.version) if version else None,
        waits=wanted.waits,
    )


def _promoted(wanted: _Wanted, use_case: UseCase, app: App, files: str) -> Version | None:
    """The registered version that is promoted; None where the files are registered. Raises NotFound.

    A later job takes that of the job before: while people were asked, the alias may have got another one.
    """
    if wanted.pipeline.takes_version is None:
        return None
    earlier = None
    if wanted.start is not None and wanted.start not in stages_until_version(wanted.pipeline):
        earlier = PipelineLog(app.settings.home).newest_of_files(use_case.name, wanted.pipeline.name, files)
    named = wanted.version or (earlier and earlier.version) or wanted.pipeline.takes_version
    label = f"{use_case.name}:{named}" if named.isdecimal() else f"{use_case.name}@{named}"
    return open_registry(app.settings).find(label, "flow")


def _reports_folder(output: Path | None, name: str, record: PipelineRecord) -> Path:
    return output / name if output is not None else record.path / "reports"


def _say_begin(record: PipelineRecord, parts: PipelineParts) -> None:
    done = sum(step.state == "done" for step in record.steps)
    goes_on = f", {done} of {len(record.steps)} stages done before" if done else ""
    place = "" if record.name == str(parts.use_case) else f" ({parts.use_case})"
    click.echo(f"Pipeline {record.env}: {record.name}{place}{goes_on}", err=True)
    if record.state == "done":
        click.echo("     All of it was done for these files. Begin anew with --new.", err=True)


def _write(
    reports: Sequence[StageReport],
    output: Path | None,
    junit: str | None,
    markdown: str | None,
) -> None:
    """The reports over all use cases so far."""
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_atomic(output / "summary.md", render_markdown(reports))
    renderings: Sequence[tuple[str | None, Callable[[Sequence[StageReport]], str | bytes]]]
    renderings = ((junit, render_junit), (markdown, render_markdown))
    for file, rendered in renderings:
        if file is not None:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(Path(file), rendered(reports))
