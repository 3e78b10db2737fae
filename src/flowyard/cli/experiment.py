"""``flowyard experiment``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from flowyard.app import open_app
from flowyard.cli.experiment_look import list_, print_reports, report
from flowyard.cli.many_lines import ManyLines, many_lines_options
from flowyard.cli.options import read_settings, running_options
from flowyard.cli.output import failed_lines_code, print_json, print_warnings, run_view
from flowyard.cli.pacing_options import budget_code
from flowyard.cli.progress import choose_progress
from flowyard.cli.tables import print_table
from flowyard.experiments import ExperimentPlan, execute_experiment, load_experiment, plan_experiment
from flowyard.experiments.connections import ExperimentConnections
from flowyard.records import ExperimentRecord
from flowyard.reports import compare_variants, comparison_table, report_paths, summarize, write_reports

__all__ = ["experiment"]


@click.group()
def experiment() -> None:
    """Run every variant over every dataset, evaluate and compare."""


experiment.add_command(list_)
experiment.add_command(report)


@experiment.command()
@click.argument("path", metavar="PATH")
@click.option("--env", metavar="NAME", help="Apply the overlay experiment.NAME.yaml.")
@click.option("--variants", default="all", show_default=True, metavar="all|defaults|node.variant,…")
@click.option("--dry-run", is_flag=True, help="Print what would run and stop.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def run(
    path: str,
    env: str | None,
    variants: str,
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
    plan = plan_experiment(load_experiment(Path(path), env), variants)
    print_warnings(plan.warnings)
    if dry_run:
        _print_plan(plan, as_json=as_json)
        return 0
    declared = [ExperimentConnections(plan.experiment, app.environ)]
    experiment = plan.experiment
    parts = many.parts(app, choose_progress(), declared, limits=experiment.limits, cache=experiment.cache)
    record = many.carry_out(app, execute_experiment(plan, parts, options=many.options))
    files = write_reports(record, None, record.path)
    _print_result(record, files, as_json=as_json)
    planned = sum(1 + len(each.evaluations) for each in plan.runs)
    stopped = budget_code(record.runs, parts.budget, planned=planned)
    return stopped or failed_lines_code(record.runs, max_failed_lines)


def _print_plan(plan: ExperimentPlan, *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "dataset": run.dataset.name,
            "variant": ", ".join(f"{node}={variant}" for node, variant in run.assignment.items()) or "defaults",
            "lines": run.lines,
            "evaluators": [each.evaluator.name for each in run.evaluations],
            "model_calls": run.model_calls,
        }
        for run in plan.runs
    ]
    if as_json:
        print_json({"experiment": plan.experiment.name, "runs": rows, "model_calls": plan.model_calls})
        return
    print_table(list(rows[0]), [[", ".join(v) if isinstance(v, list) else v for v in row.values()] for row in rows])
    click.echo(f"\n{len(rows)} runs, about {plan.model_calls:,} model calls before retries. Nothing was run.")


def _print_result(record: ExperimentRecord, files: Mapping[str, list[Path]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": record.name,
                "key": record.key,
                "path": str(record.path),
                "simulated": record.simulated,
                "runs": [run_view(run) | {"role": run.role, "dataset": run.dataset} for run in record.runs],
                "reports": report_paths(files),
            }
        )
        return
    Console().print(comparison_table(summarize(compare_variants(record))))
    print_reports(files)
