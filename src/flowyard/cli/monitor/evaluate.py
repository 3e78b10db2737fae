"""``flowyard monitor evaluate``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowyard.app import App, open_app
from flowyard.cli.experiment.end import print_result
from flowyard.cli.experiment.result import gate_code
from flowyard.cli.monitor.judging import JudgingOptions, judging_options, open_judging
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_warnings
from flowyard.experiments.model import Experiment
from flowyard.production.judging.live import Judged, LiveJudging, judging_alone, keeping_sessions
from flowyard.production.judging.post_production import PostProduction, draw_for_evaluation, evaluate_production
from flowyard.production.judging.sampling import SamplingRule
from flowyard.production.store.collect import collect
from flowyard.production.store.store import open_production
from flowyard.reports import decide_and_report

__all__ = ["evaluate"]


@click.command()
@click.argument("path", metavar="USECASE", type=click.Path(path_type=Path))
@click.option(
    "--collect",
    "folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Collect records from here first; may be repeated.",
)
@judging_options(rate=1.0, lines=200)
@many_lines_options
@running_options
def evaluate(
    path: Path,
    folders: tuple[Path, ...],
    asked: JudgingOptions,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Judge a sample of what production answered, hold it to the gates of experiment.yaml, and write reports.

    USECASE is the folder with experiment.yaml. Made for cron and schedules: exits 3 when a gate says no, 2 when there
    is nothing to judge. Called again after a kill, it goes on; nothing is judged twice.
    """
    app = open_app(read_settings(home, env_file, simulate), path)
    collect(open_production(app.settings), folders)
    experiment, judging = open_judging(path, asked, many, app)
    with judging_alone(app.settings.home):
        judged, found = many.carry_out(app, _evaluate(judging, experiment, asked.rule))
    return _end(judged, found, app, as_json=as_json)


async def _evaluate(judging: LiveJudging, experiment: Experiment, rule: SamplingRule) -> tuple[Judged, PostProduction]:
    judged = Judged(taken_over=judging.take_over())
    drawn = draw_for_evaluation(judging, rule)
    async with keeping_sessions(judging) as kept:
        await kept.judge(drawn, judged)
        return judged, await evaluate_production(kept, experiment, drawn, _asked(judging, rule))


def _asked(judging: LiveJudging, rule: SamplingRule) -> dict[str, Any]:
    span = judging.wanted.window
    sampled = {"rate": rule.rate, "per_arm": rule.per_arm, "lines": rule.most, "seed": rule.seed}
    return {
        "flow": judging.wanted.flow,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        **sampled,
    }


def _end(judged: Judged, found: PostProduction, app: App, *, as_json: bool) -> int:
    policy = found.live.policy
    decided = decide_and_report(found.record, policy, app.store)
    print_warnings([*found.warnings, *([judged.stopped] if judged.stopped else [])])
    print_result(decided.record, decided.comparison, decided.evidence, policy, decided.files, as_json=as_json)
    code = gate_code(decided.evidence, policy)
    if code:
        click.echo(_NEXT, err=True)
    elif not policy.gates:
        click.echo("No gate was judged: write some under 'gates' in experiment.yaml or its overlay.", err=True)
    return code or 0


_NEXT = (
    "A gate said no. Look at the lines in the report. To make a dataset of them:\n"
    '  flowyard monitor export USECASE --filter "failed or low-judgement:EVALUATOR.FIELD:BELOW" --to DATASET\n'
    "To go back to the version before: flowyard deploy rollback"
)
