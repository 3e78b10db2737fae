"""Publishing to MLflow from commands: where to, how far it is, and what it came to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from flowyard.cli.shared.output import print_warnings
from flowyard.errors import FlowyardError, UserError
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.settings import Settings

if TYPE_CHECKING:
    from flowyard.app import App
    from flowyard.tracking import Published

__all__ = [
    "print_published",
    "publish_at_the_end",
    "publish_execution",
    "published_view",
    "publishing",
    "require_url",
    "track_url",
]


def track_url(settings: Settings, named: str | None) -> str | None:
    """Where to publish: what was named, else what the settings say. Raises UserError before anything is run."""
    url = named or settings.tracking
    if url is not None:
        from flowyard.tracking import check_url  # noqa: PLC0415 - for those who publish

        check_url(url, settings.environ)
    return url


def publish_execution(
    record: ExperimentRecord, url: str, environ: Mapping[str, str], experiment_name: str | None = None
) -> list[Published]:
    """Publish an execution with the reports that are there. Raises OutsideError and UserError."""
    from flowyard.reports import MAIN_FILES  # noqa: PLC0415 - drawing is heavy
    from flowyard.tracking import open_publisher  # noqa: PLC0415 - for those who publish

    files = [record.path / name for name in MAIN_FILES.values() if (record.path / name).is_file()]
    with publishing(record.runs) as on_lines:
        publisher = open_publisher(url, environ, experiment_name or record.name, on_lines)
        return publisher.publish_experiment(record, files)


def publish_at_the_end(record: ExperimentRecord, url: str, app: App) -> None:
    """Publish what has just ended; that it fails is a warning with what does it again."""
    try:
        print_published(publish_execution(record, url, app.environ))
    except FlowyardError as error:
        again = f"flowyard experiment publish {record.key} --to {url}"
        print_warnings(
            [f"Not published: {error.message} {error.hint or ''}\nAll is kept here. Publish it with: {again}"]
        )


def print_published(published: Sequence[Published]) -> None:
    """What was published, for a person, on stderr."""
    print_warnings(dict.fromkeys(warning for each in published for warning in each.warnings))
    new = sum(each.is_new for each in published)
    kept = f", {len(published) - new} were there" if new < len(published) else ""
    where = published[0].experiment_id if published else "-"
    click.echo(f"Published {new} of {len(published)} runs to MLflow's experiment {where}{kept}.", err=True)


def published_view(published: Sequence[Published]) -> list[dict[str, Any]]:
    """What machines get; the names in it are a contract."""
    return [
        {
            "name": each.name,
            "run_id": each.run_id,
            "experiment_id": each.experiment_id,
            "published": each.is_new,
            "warnings": list(each.warnings),
        }
        for each in published
    ]


def require_url(settings: Settings, named: str | None) -> str:
    """As ``track_url``. Raises UserError also when there is none."""
    url = track_url(settings, named)
    if url is None:
        raise UserError("Where to publish?", hint="Add --to mlflow+https://HOST, or set FLOWYARD_TRACKING.")
    return url


@contextmanager
def publishing(runs: Sequence[RunRecord]) -> Iterator[Callable[[RunRecord, int], None]]:
    """A bar over the lines of the runs, where there is a terminal."""
    total = sum(run.lines.completed + run.lines.failed for run in runs)
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console  # noqa: PLC0415 - drawing is heavy, and needs a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    bar = Progress(
        TextColumn("Publishing"), BarColumn(bar_width=14), MofNCompleteColumn(), console=Console(stderr=True)
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda _, count: bar.update(task, advance=count)
