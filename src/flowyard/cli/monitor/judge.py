"""``flowyard monitor judge``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flowyard._util.printable import printable_text
from flowyard.app import open_app
from flowyard.cli.monitor.judging import JudgingOptions, judging_options, open_judging
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import ExitCode
from flowyard.production.judging.live import Judged, LiveJudging, judging_alone, keeping_sessions
from flowyard.production.judging.sampling import SamplingRule

__all__ = ["judge", "judged_view", "print_judged"]


@click.command()
@click.argument("path", metavar="USECASE", type=click.Path(path_type=Path))
@judging_options(rate=0.1, lines=500)
@many_lines_options
@running_options
def judge(
    path: Path,
    asked: JudgingOptions,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Judge a sample of what production answered by the evaluators of USECASE, each answer once by each.

    USECASE is the folder with experiment.yaml. Exits 1 when an evaluator failed on an answer.
    """
    app = open_app(read_settings(home, env_file, simulate), path)
    _, judging = open_judging(path, asked, many, app)
    with judging_alone(app.settings.home):
        judged = many.carry_out(app, _judge(judging, asked.rule))
    if as_json:
        print_json(judged_view(judged))
    else:
        print_judged(judged)
    return ExitCode.FAILED_LINES if judged.failed else 0


async def _judge(judging: LiveJudging, rule: SamplingRule) -> Judged:
    judged = Judged(taken_over=judging.take_over())
    async with keeping_sessions(judging) as kept:
        await kept.judge(kept.draw(rule), judged)
    return judged


def judged_view(judged: Judged) -> Mapping[str, Any]:
    """What machines get: the names in it are a contract."""
    return {
        "sampled": judged.sampled,
        "judged": judged.new,
        "failed": judged.failed,
        "taken_over": judged.taken_over,
        "by_evaluator": judged.by_evaluator,
        "unfit": judged.unfit,
        "model_calls": judged.calls,
        "cost_usd": judged.cost_usd,
        "simulated": judged.is_simulated,
        "stopped": judged.stopped,
    }


def print_judged(judged: Judged) -> None:
    """One sentence, and one for each evaluator that could not judge all."""
    simulated = ", by a simulated model" if judged.is_simulated else ""
    click.echo(
        f"{judged.new:,} new judgements of {judged.sampled:,} sampled answers, {judged.failed:,} failed: "
        f"{judged.calls:,} model calls, ${judged.cost_usd:,.4f}{simulated}."
    )
    if judged.taken_over:
        click.echo(f"{judged.taken_over:,} more were left by a command that was stopped.")
    for name, count in judged.unfit.items():
        if count:
            click.echo(printable_text(f"{name}: {count:,} lack what it reads."))
    if judged.stopped:
        click.echo(f"{judged.stopped} What is left is judged the next time.", err=True)
