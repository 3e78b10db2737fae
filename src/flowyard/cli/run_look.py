"""``flowyard run list``, ``show``, ``stream``, ``show-details`` and ``show-metrics``"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import click

from flowyard.cli.options import open_store, store_options
from flowyard.cli.output import (
    failed_lines_code,
    print_json,
    print_line,
    print_run_record,
    print_table,
    print_warnings,
    run_view,
)
from flowyard.cli.progress import LineProgress
from flowyard.errors import ExitCode, UserError
from flowyard.records import RunRecord
from flowyard.runs.follow import follow_lines
from flowyard.runs.results import read_lines

__all__ = ["list_", "show", "show_details", "show_metrics", "stream"]


@click.command("list")
@click.option("-r", "--max-results", type=click.IntRange(1), default=50, show_default=True)
@click.option("--all-results", is_flag=True, help="List every run.")
@click.option("--archived-only", is_flag=True, help="List archived runs only.")
@click.option("--include-archived", is_flag=True, help="List archived runs too.")
@click.option("-o", "--output", type=click.Choice(["json", "table"]), default="table", help="The same as --json.")
@store_options
def list_(
    max_results: int,
    all_results: bool,
    archived_only: bool,
    include_archived: bool,
    output: str,
    home: str | None,
    as_json: bool,
) -> None:
    """List runs, newest first."""
    if archived_only and include_archived:
        raise UserError("--archived-only and --include-archived exclude each other.", hint="Leave one out.")
    store = open_store(home)
    found = (run for run in store.list_runs() if include_archived or run.archived == archived_only)
    runs = list(islice(found, None if all_results else max_results))
    print_warnings(f"The record of {folder} cannot be read." for folder in store.unreadable_runs())
    if as_json or output == "json":
        print_json([run_view(record) for record in runs])
    elif not runs:
        hidden = any(run.archived != archived_only for run in store.list_runs())
        hint = "See: --include-archived" if hidden else "Make one: flowyard run create --flow PATH --data FILE"
        click.echo(f"No {'archived ' if archived_only else ''}runs in {store.home}. {hint}")
    else:
        _print_runs(runs)


def _print_runs(runs: Sequence[RunRecord]) -> None:
    columns: dict[str, list[Any]] = {
        "name": [run.name for run in runs],
        "display name": [run.display_name or "" for run in runs],
        "status": [f"{run.status}, archived" if run.archived else run.status for run in runs],
        "lines": [f"{run.lines.completed}/{run.lines.total}" for run in runs],
        "failed": [run.lines.failed for run in runs],
        "created (UTC)": [run.created_at[:19] for run in runs],
    }
    shown = {name: cells for name, cells in columns.items() if any(cell != "" for cell in cells)}
    print_table(list(shown), zip(*shown.values(), strict=True))


@click.command()
@click.option("-n", "--name", required=True)
@store_options
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show one run."""
    print_run_record(open_store(home).get_run(name), as_json=as_json)


@click.command()
@click.option("-n", "--name", required=True)
@store_options
def stream(name: str, home: str | None, as_json: bool) -> int:
    """Print the lines of a run as they finish, until it ends. Exits 1 when lines failed, or it did not complete."""
    store = open_store(home)
    record = store.get_run(name)
    progress = LineProgress(each=True)
    progress.start(record, record.lines.total)
    for line in follow_lines(store, record):
        progress.line(line)
    record = store.get_run(name)
    progress.end(record)
    print_run_record(record, as_json=as_json)
    return failed_lines_code([record]) if record.status == "completed" else ExitCode.FAILED_LINES


@click.command("show-details")
@click.option("-n", "--name", required=True)
@click.option("-r", "--max-results", type=click.IntRange(1), default=100, show_default=True)
@click.option("--all-results", is_flag=True, help="Show every line.")
@store_options
def show_details(name: str, max_results: int, all_results: bool, home: str | None, as_json: bool) -> None:
    """Show the inputs and outputs of each line."""
    record = open_store(home).get_run(name)
    lines = list(islice(read_lines(record), None if all_results else max_results))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        print_line(line)
    if record.lines.total > len(lines):
        click.echo(f"{len(lines)} of {record.lines.total} lines; --all-results shows every one.", err=True)


@click.command("show-metrics")
@click.option("-n", "--name", required=True)
@store_options
def show_metrics(name: str, home: str | None, as_json: bool) -> None:
    """Print the metrics of a run as JSON."""
    print_json(dict(open_store(home).get_run(name).metrics), indent=None if as_json else 2)
