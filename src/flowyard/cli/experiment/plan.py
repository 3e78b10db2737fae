"""What ``flowyard experiment run --dry-run`` prints."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.experiments.estimate import CallEstimate
from flowyard.experiments.plan import ExperimentPlan, PlannedRun
from flowyard.runs.cost_text import usd_text

__all__ = ["print_plan"]

_HOW = "estimated from the first rows, 4 characters to a token, answers as long as max_tokens allows, before retries"


def print_plan(plan: ExperimentPlan, *, as_json: bool) -> None:
    """The runs with what they come to, as a table or as one JSON value."""
    if as_json:
        print_json(_view(plan))
        return
    several = len({run.dataset.name for run in plan.runs}) > 1
    columns = [*(["dataset"] if several else []), "selection", "lines", "calls", "tokens", "cost"]
    print_table(columns, [_row(run)[0 if several else 1 :] for run in plan.runs])
    total = plan.estimate
    click.echo(f"\n{len(plan.runs):,} runs, {_lines(plan):,} lines, about {_sum(total)}.")
    used = sorted({each.evaluator.name for run in plan.runs for each in run.evaluations})
    if used:
        click.echo(printable(f"Evaluators: {', '.join(used)}; they are counted in."))
    for each in plan.left_out:
        click.echo(printable(f"Left out for its cost of {usd_text(each.cost_usd)}: {each.label}"))
    if total.has_code:
        click.echo("What a flow's own code asks of models cannot be known, and is not counted.")
    click.echo("\n".join(textwrap.wrap(f"Calls, tokens and cost are {_HOW}.", 78)))
    click.echo("Nothing was run.")


def _view(plan: ExperimentPlan) -> dict[str, Any]:
    return {
        "experiment": plan.experiment.name,
        "runs": [
            {
                "dataset": run.dataset.name,
                "variant": run.label,
                "assignment": dict(run.assignment),
                "parameters": dict(run.parameters),
                "lines": run.lines,
                "evaluators": [each.evaluator.name for each in run.evaluations],
                **_figures(run.estimate),
            }
            for run in plan.runs
        ],
        "lines": _lines(plan),
        **_figures(plan.estimate),
        "left_out": [{"variant": each.label, "runs": each.runs, "cost_usd": each.cost_usd} for each in plan.left_out],
        "estimate": _HOW,
        "warnings": list(plan.warnings),
    }


def _figures(estimate: CallEstimate) -> dict[str, Any]:
    return {
        "model_calls": estimate.calls,
        "prompt_tokens": estimate.prompt_tokens,
        "completion_tokens": estimate.completion_tokens,
        "tokens": estimate.total_tokens,
        "cost_usd": estimate.cost_usd,
        "unpriced_calls": estimate.unpriced_calls,
        "has_code": estimate.has_code,
    }


def _row(run: PlannedRun) -> list[str]:
    estimate = run.estimate
    cost = "?" if estimate.calls and estimate.unpriced_calls == estimate.calls else usd_text(estimate.cost_usd)
    return [
        run.dataset.name,
        run.label,
        f"{run.lines:,}",
        f"{estimate.calls:,}",
        f"{estimate.total_tokens:,}",
        f"{cost}+?" if 0 < estimate.unpriced_calls < estimate.calls else cost,
    ]


def _sum(total: CallEstimate) -> str:
    said = f"{total.calls:,} model calls, {total.total_tokens:,} tokens, {usd_text(total.cost_usd)}"
    if total.unpriced_calls:
        names = printable(", ".join(sorted(total.unpriced_models)) or "models")
        said += f" and {total.unpriced_calls:,} calls of unknown price ({names})"
    return said


def _lines(plan: ExperimentPlan) -> int:
    return sum(run.lines for run in plan.runs)
