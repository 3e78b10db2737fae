"""``flowyard experiment resume``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.experiment.end import carry_out_experiment
from flowyard.cli.experiment.load import planned_experiment
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import open_store, read_settings, running_options
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.track_option import track_url
from flowyard.experiments.resume import changed_versions, require_request

__all__ = ["resume"]


@click.command()
@click.argument("key", metavar="KEY|NAME")
@click.option("--anyway", is_flag=True, help="Go on although the file, the flow, the data or an evaluator changed.")
@click.option("--no-gates", is_flag=True, help="Measure and compare, but judge no gate.")
@click.option("--track", metavar="URL", help="Publish to this MLflow at the end (mlflow+https://HOST).")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def resume(
    key: str,
    anyway: bool,
    no_gates: bool,
    many: ManyLines,
    track: str | None,
    max_failed_lines: int,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Go on with an execution that was stopped: that of KEY, or the last one of the experiment NAME.

    Only lines without a result are run. The decision and the reports come out under the same key.
    """
    record = open_store(home).get_experiment(key)
    request = require_request(record)
    file = Path(request["file"])
    app = open_app(read_settings(home, env_file, simulate), file)
    url = track_url(app.settings, track)
    plan, policy = planned_experiment(
        file, record.env, app, many, variants=request["variants"], parameters=request["parameters"], gates=not no_gates
    )
    print_warnings([*plan.warnings, *changed_versions(record, plan, anyway=anyway)])
    if record.is_finished:
        click.echo(f"The experiment {record.name}/{record.key} is complete: nothing is left to run.", err=True)
    return carry_out_experiment(
        plan, policy, app, many, earlier=record, max_failed_lines=max_failed_lines, track=url, as_json=as_json
    )
