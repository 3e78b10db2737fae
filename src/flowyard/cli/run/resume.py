"""``flowyard run resume``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.run.recorded_judge import recorded_judge
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import SpreadCommand, environment_option, pairs_or_file, read_settings, running_options
from flowyard.cli.shared.output import failed_lines_code, print_run_record
from flowyard.cli.shared.pacing_options import budget_code
from flowyard.cli.shared.progress import choose_progress
from flowyard.records import RunRecord
from flowyard.runs.repeat import repeat_request
from flowyard.runs.resume import require_resumable
from flowyard.runs.run import resume_run
from flowyard.runs.run_file import RunDescription

__all__ = ["resume"]


@click.command(cls=SpreadCommand)
@click.argument("name", required=False)
@click.option("-n", "--name", "named", metavar="NAME", help="The run; the same as the argument.")
@environment_option
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@click.option("--retry-failed", is_flag=True, help="Run lines that failed once more.")
@click.option("--anyway", is_flag=True, help="Go on although the flow or the data changed.")
@click.option("-s", "--stream", is_flag=True, help="Print each line as it finishes.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def resume(
    name: str | None,
    named: str | None,
    environment_variables: tuple[str, ...],
    init: tuple[str, ...],
    retry_failed: bool,
    anyway: bool,
    stream: bool,
    max_failed_lines: int,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Go on with a run that was stopped: only lines without a result are run. Exits 1 when lines failed."""
    wanted = named or name
    if wanted is None:
        raise click.UsageError("Which run? Give its NAME; see: flowyard run list")
    settings = read_settings(home, env_file, simulate)
    earlier = open_app(settings).store.get_run(wanted)
    require_resumable(earlier)
    given = RunDescription().over(
        {
            "environment_variables": pairs_or_file(environment_variables, "--environment-variables"),
            "init": pairs_or_file(init, "--init"),
        }
    )
    judge = recorded_judge(earlier)
    request = repeat_request(
        earlier,
        environment_variables=given.environment_variables(),
        init=given.init(),
        flow=judge.flow if judge else None,
        options=many.options,
    )
    app = open_app(settings, Path(earlier.flow))
    parts = many.parts(app, choose_progress(stream=stream))
    record = many.carry_out(app, resume_run(wanted, request, parts, retry_failed=retry_failed, anyway=anyway))
    if record.ended_at == earlier.ended_at:
        _say_nothing_left(record)
    print_run_record(record, as_json=as_json)
    return budget_code([record], parts.budget) or failed_lines_code([record], max_failed_lines)


def _say_nothing_left(run: RunRecord) -> None:
    again = f" Lines that failed run once more with: flowyard run resume {run.name} --retry-failed"
    click.echo(f"Run {run.name!r} is complete: nothing is left to run.{again if run.lines.failed else ''}", err=True)
