"""``flowyard run``"""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.options import SpreadCommand, pairs, read_settings, running_options, store_options
from flowyard.cli.output import (
    failed_lines_code,
    print_json,
    print_line,
    print_run,
    print_table,
    print_warnings,
    run_view,
    user_prints_to_stderr,
)
from flowyard.cli.progress import choose_progress
from flowyard.flows.variants import parse_selection
from flowyard.records import RunRecord
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.results import read_lines
from flowyard.store import FolderStore

__all__ = ["run"]


@click.group()
def run() -> None:
    """Run a flow over data, evaluate a run, look at results."""


@run.command(cls=SpreadCommand)
@click.option("--flow", "flow_path", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--data", metavar="FILE", help="The data: .jsonl, .csv or .tsv.")
@click.option("--column-mapping", multiple=True, metavar="k=v…", help="Input from column: question='${data.q}'.")
@click.option("--run", "base_run", metavar="NAME", help="Evaluate this run: its outputs are ${run.outputs.…}.")
@click.option("--variant", metavar="'${node.variant}'", help="Use this variant; other nodes use their defaults.")
@click.option("-n", "--name", metavar="NAME", help="The run's name (default: made from flow and time).")
@click.option("-s", "--stream", is_flag=True, help="Print each line as it finishes.")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=16, show_default=True, help="Lines at once.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@running_options
def create(
    flow_path: str,
    data: str | None,
    column_mapping: tuple[str, ...],
    base_run: str | None,
    variant: str | None,
    name: str | None,
    stream: bool,
    concurrency: int,
    max_failed_lines: int,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Run a flow over every row of the data. Exits 1 when lines failed."""
    app = open_app(read_settings(home, env_file, simulate), Path(flow_path))
    request = RunRequest(
        flow=Path(flow_path),
        data=Path(data) if data else None,
        column_mapping=pairs(column_mapping, "--column-mapping"),
        variant=dict([parse_selection(variant)]) if variant else {},
        base_run=base_run,
        name=name,
        role="evaluation" if base_run else "run",
        concurrency=concurrency,
    )
    with user_prints_to_stderr():
        record = asyncio.run(execute_run(request, app.parts(choose_progress(stream=stream))))
    _print(record, as_json=as_json)
    return failed_lines_code([record], max_failed_lines)


def _print(record: RunRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(run_view(record))
    else:
        print_run(record, islice((line for line in read_lines(record) if line.error), 5))


def _store(home: str | None) -> FolderStore:
    return FolderStore(read_settings(home).home)


@run.command("list")
@click.option("-r", "--max-results", type=click.IntRange(1), default=50, show_default=True)
@click.option("--all-results", is_flag=True, help="List every run.")
@store_options
def list_(max_results: int, all_results: bool, home: str | None, as_json: bool) -> None:
    """List runs, newest first."""
    store = _store(home)
    runs = list(islice(store.list_runs(), None if all_results else max_results))
    print_warnings(f"The record of {folder} cannot be read." for folder in store.unreadable_runs())
    if as_json:
        print_json([run_view(record) for record in runs])
    elif not runs:
        click.echo(f"No runs in {store.home}. Make one: flowyard run create --flow PATH --data FILE")
    else:
        rows = [
            (r.name, r.status, f"{r.lines.completed}/{r.lines.total}", r.lines.failed, r.created_at[:19]) for r in runs
        ]
        print_table(["name", "status", "lines", "failed", "created (UTC)"], rows)


@run.command()
@click.option("-n", "--name", required=True)
@store_options
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show one run."""
    _print(_store(home).get_run(name), as_json=as_json)


@run.command("show-details")
@click.option("-n", "--name", required=True)
@click.option("-r", "--max-results", type=click.IntRange(1), default=100, show_default=True)
@click.option("--all-results", is_flag=True, help="Show every line.")
@store_options
def show_details(name: str, max_results: int, all_results: bool, home: str | None, as_json: bool) -> None:
    """Show the inputs and outputs of each line."""
    record = _store(home).get_run(name)
    lines = list(islice(read_lines(record), None if all_results else max_results))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        print_line(line)
    if record.lines.total > len(lines):
        click.echo(f"{len(lines)} of {record.lines.total} lines; --all-results shows every one.", err=True)


@run.command("show-metrics")
@click.option("-n", "--name", required=True)
@store_options
def show_metrics(name: str, home: str | None, as_json: bool) -> None:
    """Print the metrics of a run as JSON."""
    print_json(dict(_store(home).get_run(name).metrics), indent=None if as_json else 2)
