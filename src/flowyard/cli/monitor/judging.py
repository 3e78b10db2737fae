"""What ``flowyard monitor judge`` and ``monitor evaluate`` have in common: whose answers, how many, by whom."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from flowyard.app import App
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.monitor.options import require_known, window
from flowyard.cli.shared.many_lines import ManyLines
from flowyard.cli.shared.option_groups import Command
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.progress import choose_progress
from flowyard.errors import NotFound
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.load import environment_overlay, load_experiment
from flowyard.experiments.model import Experiment
from flowyard.production.exchanges.lines import ExchangeFilter
from flowyard.production.judging.judges import find_judges
from flowyard.production.judging.live import DayLimits, LiveJudging
from flowyard.production.judging.sampling import SamplingRule
from flowyard.production.store.store import open_production
from flowyard.registry import open_registry

__all__ = ["JudgingOptions", "judging_options", "open_judging"]


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """The values of the options, under the names of their flags."""

    env: str | None
    flow: str | None
    since: str
    until: str | None
    version: str | None
    evaluators: tuple[str, ...]
    rate: float
    per_arm: int
    lines: int
    seed: int
    max_calls_per_day: int | None
    max_cost_per_day: float | None
    retry_failed: bool

    @property
    def rule(self) -> SamplingRule:
        """How the sample is drawn."""
        return SamplingRule(self.rate, self.per_arm, self.lines, self.seed)

    @property
    def limits(self) -> DayLimits:
        """What a day of judging may use."""
        return DayLimits(self.max_calls_per_day, self.max_cost_per_day)


_NAMES = tuple(JudgingOptions.__dataclass_fields__)


def judging_options(rate: float, lines: int) -> Callable[[Command], Command]:
    """The options, with these defaults; the command gets their values as ``asked``."""
    options = (
        click.option(
            "--env", metavar="NAME", help="Apply the overlay experiment.NAME.yaml, if the experiment has any overlay."
        ),
        click.option("--flow", metavar="NAME", help="The flow, as records name it (default: the use case's name)."),
        click.option("--since", default="24h", show_default=True, help="From when on: 90m, 24h, 7d, or a time."),
        click.option("--until", help="Until when (default: now)."),
        click.option("--version", help="Only this version."),
        click.option(
            "--evaluator", "evaluators", multiple=True, metavar="NAME", help="Only this one; may be repeated."
        ),
        click.option(
            "--rate", type=click.FloatRange(0, 1), default=rate, show_default=True, help="Share of the requests."
        ),
        click.option(
            "--per-arm", type=click.IntRange(0), default=0, show_default=True, help="At least N of each arm or version."
        ),
        click.option(
            "--lines", type=click.IntRange(1), default=lines, show_default=True, help="At most N by the rate."
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the draw."),
        click.option("--max-calls-per-day", type=click.IntRange(1), metavar="N", help="Model calls in a day of UTC."),
        click.option(
            "--max-cost-per-day",
            type=click.FloatRange(0, min_open=True),
            metavar="USD",
            help="What judging may cost in a day of UTC.",
        ),
        click.option("--retry-failed", is_flag=True, help="Also what an evaluator has failed on three times."),
    )

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_values(**values: Any) -> Any:
            own = {name: values.pop(name) for name in _NAMES}
            return command(asked=JudgingOptions(**own), **values)

        decorated: Command = with_values
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def open_judging(path: Path, asked: JudgingOptions, many: ManyLines, app: App) -> tuple[Experiment, LiveJudging]:
    """The experiment of a use case, and what judges its answers. Raises UserError, NotFound, ExperimentInvalid."""
    if not path.exists():
        raise NotFound(f"There is no use case {path}.", hint="Name the folder with experiment.yaml.")
    overlay = environment_overlay(path, asked.env) if asked.env else None
    experiment = load_experiment(path, overlay, resolve_dataset=open_registry(app.settings).resolve)
    judges, warnings = find_judges(experiment, asked.evaluators)
    print_warnings([*experiment.warnings, *warnings])
    store = open_production(app.settings)
    name = require_known(asked.flow or use_case_name(path), store.flows(), "the flow", "--flow")
    declared = [ExperimentConnections(experiment, app.environ)]
    parts = many.parts(app, choose_progress(), declared, limits=experiment.limits, cache=experiment.cache)
    return experiment, LiveJudging(
        store,
        ExchangeFilter(name, window(asked.since, asked.until), version=asked.version),
        judges,
        experiment.flow,
        parts,
        many.options,
        asked.limits,
        asked.retry_failed,
    )
