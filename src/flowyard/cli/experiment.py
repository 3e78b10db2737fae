"""``flowyard experiment``"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from flowyard.app import open_app
from flowyard.cli.experiment_options import SpaceOptions, space_options
from flowyard.cli.experiment_plan import print_plan
from flowyard.cli.lazy import LazyGroup
from flowyard.cli.many_lines import ManyLines, many_lines_options
from flowyard.cli.options import read_settings, running_options
from flowyard.cli.output import failed_lines_code, print_json, print_warnings, run_view
from flowyard.cli.pacing_options import budget_code
from flowyard.cli.progress import choose_progress
from flowyard.experiments import execute_experiment, load_experiment, plan_experiment
from flowyard.experiments.connections import ExperimentConnections
from flowyard.records import ExperimentRecord
from flowyard.reports import compare_variants, comparison_table, summarize, write_reports

__all__ = ["experiment"]


_COMMANDS = {
    "show": ("flowyard.cli.experiment_show:show", "Show what experiment.yaml and an overlay come to, and from where."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def experiment() -> None:
    """Run every selection over every dataset, evaluate and compare."""


@experiment.command()
@click.argument("path", metavar="PATH")
@click.option("--env", metavar="NAME", help="Apply the overlay experiment.NAME.yaml.")
@space_options
@click.option("--dry-run", is_flag=True, help="Print what would run and stop.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def run(
    path: str,
    env: str | None,
    space: SpaceOptions,
    dry_run: bool,
    many: ManyLines,
    max_failed_lines: int,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Run the experiment at PATH (a folder with experiment.yaml, or the file). Exits 1 when lines failed."""
    app = open_app(read_settings(home, env_file, simulate), Path(path))
    loaded = load_experiment(Path(path), env)
    plan = plan_experiment(loaded, space.variants, space.parameters, prices=many.price_table(app))
    print_warnings(plan.warnings)
    if dry_run:
        print_plan(plan, as_json=as_json)
        return 0
    declared = [ExperimentConnections(plan.experiment, app.environ)]
    experiment = plan.experiment
    parts = many.parts(app, choose_progress(), declared, limits=experiment.limits, cache=experiment.cache)
    record = many.carry_out(app, execute_experiment(plan, parts, options=many.options))
    files = write_reports(record, record.path)
    _print_result(record, files, as_json=as_json)
    planned = sum(1 + len(each.evaluations) for each in plan.runs)
    stopped = budget_code(record.runs, parts.budget, planned=planned)
    return stopped or failed_lines_code(record.runs, max_failed_lines)


def _print_result(record: ExperimentRecord, files: list[Path], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": record.name,
                "key": record.key,
                "path": str(record.path),
                "simulated": record.simulated,
                "runs": [run_view(run) | {"role": run.role, "dataset": run.dataset} for run in record.runs],
                "reports": [str(file) for file in files],
            }
        )
        return
    Console().print(comparison_table(summarize(compare_variants(record))))
    for file in files:
        click.echo(f"{file.name + ':':<13}{file}")
