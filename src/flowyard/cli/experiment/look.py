"""``flowyard experiment list`` and ``report``: executions that ended, and their reports again."""

from __future__ import annotations

import webbrowser
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from flowyard.cli.experiment.result import check_finished
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table, printable
from flowyard.decisions.model import Evidence
from flowyard.errors import Conflict, UserError
from flowyard.records import ExperimentRecord
from flowyard.reports import FORMATS, MAIN_FILES, report_paths, write_reports
from flowyard.reports.json_file import read_evidence
from flowyard.reports.outcomes import Outcome, plain_outcome, read_outcome
from flowyard.reports.sparkline import spark_letters
from flowyard.reports.values import metric_text
from flowyard.runs.cost_text import usd_text

__all__ = ["list_", "print_reports", "report"]

_WIDE, _SHORT = 110, 9
"""From how many columns on a long name of the best version has room, and which is short enough for less."""


@click.command("list")
@click.option("-n", "--name", help="Executions of this experiment only, and how its main metric went.")
@click.option("-r", "--max-results", type=click.IntRange(1), default=50, show_default=True)
@click.option("--all-results", is_flag=True, help="List every execution.")
@store_options
def list_(name: str | None, max_results: int, all_results: bool, home: str | None, as_json: bool) -> None:
    """List executions of experiments, newest first."""
    store = open_store(home)
    found = store.list_experiments(name, None if all_results else max_results)
    if as_json:
        print_json([_view(record) for record in found])
    elif found:
        _print_list([_outcome(record) for record in found], {record.key for record in found if not record.is_finished})
        click.echo(f"All of them: {store.home / 'experiments' / 'index.html'}")
    else:
        click.echo(f"No experiments in {store.home}. Make one: flowyard experiment run PATH")


@click.command()
@click.argument("key", metavar="KEY|NAME")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(list(FORMATS)), help="Only this one; may be repeated."
)
@click.option("-o", "--output", metavar="DIR", help="Where to (default: the execution's own folder).")
@click.option("--overwrite", is_flag=True, help="Replace files in DIR that are there.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@store_options
def report(
    key: str,
    formats: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    open_page: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Write the reports of an execution again: that of KEY, or the last one of the experiment NAME. Runs nothing."""
    record = open_store(home).get_experiment(key)
    check_finished(record)
    wanted = formats or tuple(FORMATS)
    if open_page and "html" not in wanted:
        raise UserError("--open shows the page, which is not among the formats.", hint="Add --format html.")
    folder = record.path if output is None else _output_folder(Path(output), wanted, overwrite=overwrite)
    files = write_reports(record, _evidence(record), folder, wanted)
    if as_json:
        print_json({"name": record.name, "key": record.key, "reports": report_paths(files)})
    else:
        print_reports(files)
    if open_page:
        webbrowser.open(files["html"][0].resolve().as_uri())


def print_reports(files: Mapping[str, Sequence[Path]]) -> None:
    """The files for people; of many tables their folder."""
    for name, paths in files.items():
        own = [path for path in paths if path.parent == paths[0].parent]
        shown = own[0] if len(own) == 1 else f"{own[0].parent} ({', '.join(path.name for path in own)})"
        click.echo(f"{name + ':':<10}{shown}")


def _output_folder(folder: Path, formats: Sequence[str], *, overwrite: bool) -> Path:
    """The chosen folder. Raises Conflict when reports are there, which may be another experiment's."""
    there = [MAIN_FILES[name] for name in formats if (folder / MAIN_FILES[name]).exists()]
    if there and not overwrite:
        raise Conflict(f"{folder} already has {', '.join(there)}.", hint="Choose another --output, or add --overwrite.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output: {folder} is no folder.", hint="Name a folder.")
    return folder


def _evidence(record: ExperimentRecord) -> Evidence | None:
    try:
        return read_evidence(record.path)
    except ValueError as error:
        print_warnings([f"report.json of {record.name}/{record.key} cannot be read, so nothing was tested: {error}."])
        return None


def _outcome(record: ExperimentRecord) -> Outcome:
    return read_outcome(record.path) or plain_outcome(record)


def _view(record: ExperimentRecord) -> dict[str, Any]:
    """What machines get; the names in it are a contract."""
    outcome = _outcome(record)
    page = record.path / "report.html"
    best = {name: getattr(outcome, name) for name in ("best", "dataset", "metric", "value", "low", "high")}
    return {
        "name": record.name,
        "key": record.key,
        "env": record.env,
        "created_at": record.created_at,
        "verdict": outcome.verdict,
        "finished": record.is_finished,
        **best,
        "runs": outcome.runs,
        "lines": {"total": outcome.lines, "failed": outcome.failed},
        "cost_usd": outcome.cost_usd,
        "duration_s": outcome.duration_s,
        "simulated": outcome.simulated,
        "path": str(record.path),
        "report": str(page) if page.is_file() else None,
    }


def _print_list(outcomes: Sequence[Outcome], unfinished: Collection[str]) -> None:
    columns: dict[str, list[str]] = {
        "key": [outcome.key for outcome in outcomes],
        "experiment": [outcome.name for outcome in outcomes],
        "env": [outcome.env or "" for outcome in outcomes],
        "verdict": ["unfinished" if each.key in unfinished else each.verdict or "" for each in outcomes],
        "best": [outcome.best or "" for outcome in outcomes],
        "metric": [_metric(outcome) for outcome in outcomes],
        "failed": [f"{outcome.failed:,}" for outcome in outcomes],
        "cost": [usd_text(outcome.cost_usd) for outcome in outcomes],
    }
    shown = {name: cells for name, cells in columns.items() if any(cell not in ("", usd_text(0)) for cell in cells)}
    is_cut = Console().width < _WIDE and any(len(each) > _SHORT for each in shown.get("best", ()))
    if is_cut:
        del shown["best"]  # it would leave a few letters a line for each name
    print_table(list(shown), zip(*shown.values(), strict=True), whole=("key", "verdict", "failed", "cost"))
    if is_cut:
        click.echo(f"The best version has a column in a terminal of {_WIDE} columns, and in --json.")
    for text in _courses(outcomes):
        click.echo(text)


def _metric(outcome: Outcome) -> str:
    name = (outcome.metric or "").rpartition(".")[2]
    return "" if outcome.value is None else f"{name} {metric_text(outcome.value)}"


def _courses(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How the main metric went, when one experiment in one environment is listed more than once."""
    kinds = {(each.name, each.env, each.metric, each.dataset) for each in outcomes}
    values = [each.value for each in reversed(outcomes) if each.value is not None]
    if len(kinds) == 1 and len(values) > 1:
        course = f"{spark_letters(values)}  {metric_text(values[0])} → {metric_text(values[-1])}"
        yield f"\n{printable(outcomes[0].metric)}: {course}"
