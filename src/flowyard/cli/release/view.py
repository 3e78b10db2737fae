"""A release on the terminal and for machines."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from flowyard._util.moments import moment_text
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.tables import printable
from flowyard.release import ReleaseLog
from flowyard.release.model import ReleaseRecord
from flowyard.steps import Step, StepRecord

__all__ = ["print_begin", "print_end", "print_record", "print_step", "release_view", "warn_of_damaged"]

_MARKS = {"done": ("✓", "green"), "refused": ("✗", "red"), "running": ("…", "yellow"), "waiting": ("·", "white")}
_WIDTH = 80


def release_view(record: ReleaseRecord) -> dict[str, Any]:
    """What machines get of a release: the names in it are a contract."""
    noted = [step.result for step in record.steps if step.name in ("version", "register")]
    version: Mapping[str, Any] = next((each for each in reversed(noted) if each), {})
    return {
        "name": record.name,
        "key": record.key,
        "env": record.env,
        "target": record.target,
        "by": record.by,
        "created_at": record.created_at,
        "state": record.state,
        "exit_code": record.exit_code,
        "version": version.get("version"),
        "digest": version.get("digest"),
        "steps": [asdict(step) for step in record.steps],
        "path": str(record.path),
    }


def print_begin(record: ReleaseRecord, steps: int) -> None:
    """What begins, or goes on."""
    done = sum(step.state == "done" for step in record.steps)
    goes_on = f", {done} of {steps} steps done before" if done else ""
    click.echo(f"Release {record.name}/{record.key} to {record.place}{goes_on}", err=True)


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


def print_record(record: ReleaseRecord) -> None:
    """A release with all its steps."""
    click.echo(f"Release:  {record.name}/{record.key}: {record.state}")
    click.echo(f"To:       {record.place}")
    click.echo(f"Begun:    {moment_text(record.created_at)} by {printable(record.by)}")
    for step in record.steps:
        mark, colour = _MARKS[step.state]
        text = f"{mark} {step.name:<11} {printable(step.said)}"
        click.secho("\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent=" " * 14)), fg=colour)


def warn_of_damaged(log: ReleaseLog, name: str | None) -> None:
    """Say which releases of a use case, or of all, are left out because their file is not what was written."""
    print_warnings(f"Release {each} is left out: its release.json is damaged." for each in log.damaged(name))
