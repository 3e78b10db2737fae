"""``flowyard run list``, ``show``, ``stream``, ``show-details`` and ``show-metrics``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import click

from flowyard._util.files import dump_json
from flowyard.cli.run.filters import filter_options, run_query
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import failed_lines_code, print_json, print_run_record, print_warnings, run_view
from flowyard.cli.shared.progress import LineProgress
from flowyard.cli.shared.tables import print_line, print_table, printable, shortened
from flowyard.errors import ExitCode, UserError
from flowyard.records import LineResult, RunQuery, RunRecord
from flowyard.runs.follow import follow_lines, last_lines
from flowyard.runs.results import read_lines
from flowyard.store import SqlStore

__all__ = ["list_", "show", "show_details", "show_metrics", "stream", "tail"]


@click.command("list")
@filter_options
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
    **filters: Any,
) -> None:
    """List runs, newest first; those that fit all that is asked."""
    if archived_only and include_archived:
        raise UserError("--archived-only and --include-archived exclude each other.", hint="Leave one out.")
    store = open_store(home)
    archived = None if include_archived else archived_only
    query = run_query(**filters, archived=archived, limit=None if all_results else max_results)
    runs = store.list_runs(query)
    print_warnings(f"The record of {folder} cannot be read." for folder in store.unreadable_runs())
    if as_json or output == "json":
        print_json([run_view(record) for record in runs])
    elif runs:
        _print_runs(runs)
    else:
        click.echo(_no_runs(store, query))


def _no_runs(store: SqlStore, query: RunQuery) -> str:
    if store.list_runs(replace(query, archived=None, limit=1)):
        hint = "See: --include-archived"
    elif store.list_runs(RunQuery(limit=1)):
        return f"No runs in {store.home} fit."
    else:
        hint = "Make one: flowyard run create --flow PATH --data FILE"
    return f"No {'archived ' if query.archived else ''}runs in {store.home}. {hint}"


def _print_runs(runs: Sequence[RunRecord]) -> None:
    columns: dict[str, list[Any]] = {
        "name": [run.name for run in runs],
        "display name": [run.display_name or "" for run in runs],
        "status": [f"{run.status}, archived" if run.archived else run.status for run in runs],
        "lines": [f"{run.lines.completed}/{run.lines.total}" for run in runs],
        "failed": [run.lines.failed for run in runs],
        "created (UTC)": [run.created_at[:19].replace("T", " ") for run in runs],
    }
    shown = {name: cells for name, cells in columns.items() if any(cell != "" for cell in cells)}
    print_table(list(shown), zip(*shown.values(), strict=True), whole=["name"])


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


@click.command()
@click.option("-n", "--name", required=True)
@click.option("-l", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they finish, until the run ends.")
@store_options
def tail(name: str, count: int, follow: bool, home: str | None, as_json: bool) -> None:
    """Print the lines of a run that finished last, oldest first; with --json --follow, one JSON value a line."""
    store = open_store(home)
    record = store.get_run(name)
    lines, place = last_lines(record, count)
    if as_json and not follow:
        print_json(lines)
        return
    for line in chain(lines, follow_lines(store, record, place) if follow else ()):
        if as_json:
            print_json(line, indent=None)
        else:
            click.echo(_line_text(line))


def _line_text(line: LineResult) -> str:
    """A finished line in one line of text: how it ended, and what came out."""
    outcome = f"{line.error.type}: {line.error.message}" if line.error else dump_json(line.outputs)
    text = f"line {line.line_number} {line.status} in {line.duration_s * 1000:.0f} ms  {printable(outcome)}"
    return shortened(" ".join(text.split()))


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
