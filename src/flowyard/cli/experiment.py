"""``flowyard experiment``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from flowyard.app import open_app
from flowyard.cli.experiment_look import print_reports
from flowyard.cli.experiment_options import SpaceOptions, space_options
from flowyard.cli.experiment_plan import print_plan
from flowyard.cli.experiment_result import experiment_view, gate_code, print_gates, print_races
from flowyard.cli.lazy import LazyGroup
from flowyard.cli.many_lines import ManyLines, many_lines_options
from flowyard.cli.options import read_settings, running_options
from flowyard.cli.output import failed_lines_code, print_json, print_warnings
from flowyard.cli.pacing_options import budget_code
from flowyard.cli.progress import choose_progress
from flowyard.decisions.model import Evidence
from flowyard.decisions.policy import DecisionPolicy
from flowyard.experiments import execute_experiment, load_experiment, plan_experiment
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.policy import decide, read_policy, read_racing
from flowyard.records import Comparison, ExperimentRecord
from flowyard.registry import DatasetRegistry
from flowyard.reports import comparison_table, report_paths, summarize, write_reports

__all__ = ["experiment"]


_COMMANDS = {
    "show": ("flowyard.cli.experiment_show:show", "Show what experiment.yaml and an overlay come to, and from where."),
    "gate": ("flowyard.cli.experiment_gate:gate", "Judge an experiment by its gates again, without running anything."),
    "list": ("flowyard.cli.experiment_look:list_", "List executions of experiments, newest first."),
    "report": ("flowyard.cli.experiment_look:report", "Write the reports of an execution again."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def experiment() -> None:
    """Run every selection over every dataset, evaluate, compare and decide."""


@experiment.command()
@click.argument("path", metavar="PATH")
@click.option("--env", metavar="NAME", help="Apply the overlay experiment.NAME.yaml.")
@space_options
@click.option("--dry-run", is_flag=True, help="Print what would run and stop.")
@click.option("--no-gates", is_flag=True, help="Measure and compare, but judge no gate.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def run(
    path: str,
    env: str | None,
    space: SpaceOptions,
    dry_run: bool,
    no_gates: bool,
    many: ManyLines,
    max_failed_lines: int,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Run the experiment at PATH (a folder with experiment.yaml, or the file).

    Exits 3 when a gate says no or the budget is used up, else 1 when lines failed.
    """
    app = open_app(read_settings(home, env_file, simulate), Path(path))
    loaded = load_experiment(Path(path), env, resolve_dataset=DatasetRegistry(app.settings.home).resolve)
    policy, _ = read_policy(loaded), read_racing(loaded)
    plan = plan_experiment(loaded, space.variants, space.parameters, prices=many.price_table(app))
    print_warnings(plan.warnings)
    if dry_run:
        print_plan(plan, as_json=as_json)
        return 0
    experiment = plan.experiment
    declared = [ExperimentConnections(experiment, app.environ)]
    parts = many.parts(app, choose_progress(), declared, limits=experiment.limits, cache=experiment.cache)
    record = many.carry_out(app, execute_experiment(plan, parts, options=many.options))
    policy = replace(policy, gates=()) if no_gates else policy
    record, comparison, evidence = decide(record, policy, app.store)
    files = write_reports(record, evidence, record.path)
    _print_result(record, comparison, evidence, policy, files, as_json=as_json)
    planned = sum(1 + len(each.evaluations) for each in plan.runs)
    stopped = budget_code(record.runs, parts.budget, planned=planned)
    return stopped or gate_code(evidence, policy) or failed_lines_code(record.runs, max_failed_lines)


def _print_result(
    record: ExperimentRecord,
    comparison: Comparison,
    evidence: Evidence,
    policy: DecisionPolicy,
    files: Mapping[str, Sequence[Path]],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json({**experiment_view(record, evidence), "reports": report_paths(files)})
        return
    print_warnings(evidence.warnings)
    Console().print(comparison_table(summarize(comparison), evidence))
    print_races(record.races)
    print_gates(evidence.gates, policy)
    print_reports(files)
