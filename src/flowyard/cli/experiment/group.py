"""``flowyard experiment``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.experiment.end import carry_out_experiment
from flowyard.cli.experiment.load import planned_experiment
from flowyard.cli.experiment.options import SpaceOptions, space_options
from flowyard.cli.experiment.plan import print_plan
from flowyard.cli.lazy import LazyGroup
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.track_option import track_url

__all__ = ["experiment"]


_COMMANDS = {
    "show": ("flowyard.cli.experiment.show:show", "Show what experiment.yaml and an overlay come to, and from where."),
    "resume": ("flowyard.cli.experiment.resume:resume", "Go on with an execution that was stopped."),
    "gate": ("flowyard.cli.experiment.gate:gate", "Judge an experiment by its gates again, without running anything."),
    "list": ("flowyard.cli.experiment.look:list_", "List executions of experiments, newest first."),
    "publish": ("flowyard.cli.experiment.publish:publish", "Put an execution into MLflow with its runs and reports."),
    "report": ("flowyard.cli.experiment.look:report", "Write the reports of an execution again."),
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
@click.option("--track", metavar="URL", help="Publish to this MLflow at the end (mlflow+https://HOST).")
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
    track: str | None,
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
    url = track_url(app.settings, track)
    plan, policy = planned_experiment(
        Path(path), env, app, many, variants=space.variants, parameters=space.parameters, gates=not no_gates
    )
    print_warnings(plan.warnings)
    if dry_run:
        print_plan(plan, as_json=as_json)
        return 0
    return carry_out_experiment(plan, policy, app, many, max_failed_lines=max_failed_lines, track=url, as_json=as_json)
