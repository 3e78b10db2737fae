"""``flowyard evaluator``"""

from __future__ import annotations

from collections.abc import Iterable

import click

from flowyard._util.files import dump_json
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.evaluation.builtin.catalogue import CATALOGUE, find_builtin
from flowyard.evaluation.builtin.entry import BuiltinEvaluator, EvaluatorMetric, EvaluatorOutput

__all__ = ["evaluator"]

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")


@click.group()
def evaluator() -> None:
    """The evaluators that come with flowyard: what they take, what they give and their options."""


@evaluator.command("list")
@_as_json
def list_(as_json: bool) -> None:
    """List the types of evaluators."""
    if as_json:
        print_json([each.as_dict() for each in CATALOGUE.values()])
        return
    rows = [
        (each.name, _names(each.inputs), _names([*each.outputs, *each.metrics]), each.summary)
        for each in CATALOGUE.values()
    ]
    print_table(["type", "takes", "gives", "what it says"], rows)


@evaluator.command()
@click.argument("name", metavar="TYPE")
@_as_json
def show(name: str, as_json: bool) -> None:
    """Show one type: its inputs, outputs, metrics and options."""
    found = find_builtin(name)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)


def _print(shown: BuiltinEvaluator) -> None:
    click.echo(f"{shown.name}: {shown.summary}")
    if shown.requires:
        click.echo(f"It takes: pip install '{shown.requires}'")
    click.echo()
    print_table(["input", "meaning"], [(each.name, each.meaning) for each in shown.inputs])
    click.echo()
    rows = [
        *((each.name, each.metric or "none", _range(each), each.meaning) for each in shown.outputs),
        *(("", each.name, _range(each), each.meaning) for each in shown.metrics),
    ]
    print_table(["of a line", "of the run", "range", "meaning"], rows)
    if shown.options:
        click.echo()
        options = [
            (each.name, "needed" if each.is_needed else dump_json(each.default), each.meaning) for each in shown.options
        ]
        print_table(["option", "default", "meaning"], options)


def _names(parts: Iterable[object]) -> str:
    return ", ".join(getattr(part, "name", "") for part in parts)


def _range(part: EvaluatorOutput | EvaluatorMetric) -> str:
    """The bounds, and which end is the good one."""
    if part.higher_is_better is None and part.low is None:
        return ""
    if isinstance(part, EvaluatorOutput) and part.kind == "text":
        return "text"
    low = "…" if part.low is None else f"{part.low:g}"
    high = "…" if part.high is None else f"{part.high:g}"
    direction = {True: ", more is better", False: ", less is better", None: ""}[part.higher_is_better]
    return f"{low} to {high}{direction}"
