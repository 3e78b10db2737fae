"""``flowyard monitor show``"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from flowyard._util.moments import moment_text
from flowyard._util.numbers import percent_text
from flowyard.cli.monitor.options import flow_named, require_known, window
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.production.exchanges.series import Grouping, SeriesPoint, Window, series
from flowyard.production.judging.scores import judge_series
from flowyard.production.store.store import ProductionStore, open_production
from flowyard.statistics.two_sample import Moments

__all__ = ["show", "sparkline"]

_STEPS = 16
_ROOM_FOR_ALL = 90
"""Columns of a terminal in which all bars fit beside the numbers; else each stands for two."""
_BARS = "▁▂▃▄▅▆▇█"

Scores = Mapping[str, Mapping[str, Mapping[int, Moments]]]
"""By the name of the score, the version or arm, and the number of the step."""

_CHARTS: Mapping[str, Callable[[SeriesPoint], float | None]] = {
    "requests": lambda point: point.requests,
    "failed": lambda point: point.failed / point.requests,
    "latency": lambda point: point.latency_p95_s,
    "cost": lambda point: point.cost_usd / point.requests,
    "feedback": lambda point: point.feedback_share,
}


@click.command()
@click.argument("use_case", metavar="[USECASE]", required=False)
@click.option("--flow", metavar="NAME", help="The flow, as records name it.")
@click.option(
    "--experiment", metavar="NAME", help="With --by arm: the gateway's experiment (default: the flow's name)."
)
@click.option("--since", default="24h", show_default=True, help="From when on: 90m, 24h, 7d, or a time.")
@click.option("--until", help="Until when (default: now).")
@click.option("--by", type=click.Choice(["version", "arm"]), default="version", show_default=True)
@click.option("--chart", type=click.Choice([*_CHARTS]), default="requests", show_default=True, help="What is drawn.")
@store_options
def show(
    use_case: str | None,
    flow: str | None,
    experiment: str | None,
    since: str,
    until: str | None,
    by: Grouping,
    chart: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Show requests, failures, latencies, tokens, cost, feedback and judges' scores of each version or arm over time.

    USECASE is the folder with experiment.yaml.
    """
    store = open_production(read_settings(home))
    span = window(since, until)
    name = _name(store, use_case, flow, experiment, by)
    whole = series(store, name, span, by=by)
    step = timedelta(milliseconds=math.ceil(span.length_s * 1000 / _STEPS))
    points = series(store, name, span, by=by, step=step)
    scores = judge_series(store, name, span, by=by, step=step)
    if as_json:
        print_json(_view(name, by, span, step, whole, points, scores))
        return
    click.echo(f"{printable(name)} by {by}, {moment_text(span.since)} to {moment_text(span.until)}")
    charts = {each.group: _drawn(_values(points, each.group, span, step, chart)) for each in whole}
    print_table(
        [by, "requests", "failed", "p50 s", "p95 s", "tokens", "USD", "good", chart],
        [_row(each, charts[each.group]) for each in whole],
        whole=["requests", "failed", "p50 s", "p95 s", "tokens", "USD", "good", chart],
    )
    if scores:
        click.echo()
        print_table(
            [by, "judged", "mean", "over time", "score"],
            list(_score_rows(scores)),
            whole=["judged", "mean", "over time"],
        )


def sparkline(values: Sequence[float | None]) -> str:
    """One bar for each value, from nothing to the largest; a point where there is none."""
    top = max((value for value in values if value is not None), default=0.0)

    def bar(value: float | None) -> str:
        if value is None:
            return "·"
        return _BARS[max(0, min(int(value / top * len(_BARS)), len(_BARS) - 1))] if top > 0 else _BARS[0]

    return "".join(map(bar, values))


def _drawn(values: Sequence[float | None]) -> str:
    """The bars, fewer on a narrow terminal."""
    return sparkline(values if shutil.get_terminal_size().columns >= _ROOM_FOR_ALL else _halved(values))


def _halved(values: Sequence[float | None]) -> list[float | None]:
    """The larger of each two, where a terminal has no room for all."""
    pairs = zip(values[::2], values[1::2], strict=True)
    return [max((each for each in pair if each is not None), default=None) for pair in pairs]


def _name(store: ProductionStore, use_case: str | None, flow: str | None, experiment: str | None, by: Grouping) -> str:
    if by == "arm":
        return require_known(experiment or flow_named(use_case, flow), store.experiments(), "arms of", "--experiment")
    return require_known(flow_named(use_case, flow), store.flows(), "the flow", "--flow")


def _values(points: Sequence[SeriesPoint], group: str, span: Window, step: timedelta, chart: str) -> list[float | None]:
    """The drawn value of each step. Without requests there is none, but of those themselves there are none: 0."""
    found = {(point.start - span.since) // step: _CHARTS[chart](point) for point in points if point.group == group}
    return [found.get(number, 0.0 if chart == "requests" else None) for number in range(_STEPS)]


def _row(point: SeriesPoint, chart: str) -> Sequence[Any]:
    share = point.feedback_share
    tokens = point.prompt_tokens + point.completion_tokens
    return (
        printable(point.group)[:16] or "(none)",
        _short(point.requests),
        percent_text(point.failed / point.requests, 1),
        _seconds(point.latency_p50_s),
        _seconds(point.latency_p95_s),
        _short(tokens),
        f"{point.cost_usd:.2f}",
        "" if share is None else percent_text(share),
        chart,
    )


def _score_rows(scores: Scores) -> Iterator[Sequence[Any]]:
    for score, groups in sorted(scores.items()):
        for group, steps in sorted(groups.items()):
            means = [steps[number].mean if number in steps else None for number in range(_STEPS)]
            count = sum(each.n for each in steps.values())
            yield printable(group)[:16] or "(none)", count, f"{_mean(steps):.4g}", _drawn(means), printable(score)


def _mean(steps: Mapping[int, Moments]) -> float:
    return math.fsum(each.n * each.mean for each in steps.values()) / sum(each.n for each in steps.values())


def _short(number: int) -> str:
    """A count in five letters at most."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * size:
            return f"{number / size:.0f}{unit}"
    return str(number)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def _view(
    name: str,
    by: Grouping,
    span: Window,
    step: timedelta,
    whole: Sequence[SeriesPoint],
    points: Sequence[SeriesPoint],
    scores: Scores,
) -> dict[str, Any]:
    """What machines get: the names in it are a contract."""

    def judged(group: str, numbers: Sequence[int]) -> dict[str, Any]:
        of_group = {score: groups.get(group, {}) for score, groups in scores.items()}
        found = {score: {n: steps[n] for n in numbers if n in steps} for score, steps in of_group.items()}
        counts = {score: sum(each.n for each in steps.values()) for score, steps in found.items() if steps}
        return {"scores": {score: {"judged": count, "mean": _mean(found[score])} for score, count in counts.items()}}

    def of_step(point: SeriesPoint) -> dict[str, Any]:
        return {**_facts(point), **judged(point.group, [(point.start - span.since) // step])}

    return {
        "name": name,
        "by": by,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "step_s": step.total_seconds(),
        "groups": [
            {
                **_facts(each),
                **judged(each.group, range(_STEPS)),
                "series": [of_step(point) for point in points if point.group == each.group],
            }
            for each in whole
        ],
    }


def _facts(point: SeriesPoint) -> dict[str, Any]:
    return {**asdict(point), "start": point.start.isoformat(), "feedback_share": point.feedback_share}
