"""Work in steps that is written down, such as a release or a rollout: for machines, and step by step for people."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

import click

from flowyard.cli.shared.tables import printable
from flowyard.steps import Journal, Step, StepRecord

__all__ = ["journal_view", "print_end", "print_step", "print_steps"]

_MARKS = {"done": ("✓", "green"), "refused": ("✗", "red"), "running": ("…", "yellow"), "waiting": ("·", "white")}
_WIDTH = 80


def journal_view(record: Journal) -> dict[str, Any]:
    """What machines get of it: the names in it are a contract."""
    return {
        "name": record.name,
        "key": record.key,
        "env": record.env,
        "target": record.target,
        "by": record.by,
        "created_at": record.created_at,
        "state": record.state,
        "exit_code": record.exit_code,
        "steps": [asdict(step) for step in record.steps],
        "path": str(record.path),
    }


def print_step(step: Step, number: int) -> None:
    """A step begins."""
    click.echo(f"{number:>3}. {step.summary}", err=True)


def print_end(step: StepRecord) -> None:
    """A step ended, or waits."""
    mark, colour = _MARKS[step.state]
    for line in textwrap.wrap(
        f"{mark} {printable(step.said)}", _WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 7
    ):
        click.secho(line, fg=colour, err=True)


def print_steps(record: Journal) -> None:
    """All steps, as they stand."""
    for step in record.steps:
        mark, colour = _MARKS[step.state]
        text = f"{mark} {step.name:<11} {printable(step.said)}"
        click.secho("\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent=" " * 14)), fg=colour)
