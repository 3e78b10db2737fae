"""A release on the terminal and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from flowyard._util.moments import moment_text
from flowyard.cli.shared.journals import journal_view, print_steps
from flowyard.cli.shared.output import print_warnings
from flowyard.cli.shared.tables import printable
from flowyard.release import ReleaseLog
from flowyard.release.model import ReleaseRecord

__all__ = ["print_begin", "print_record", "release_view", "warn_of_damaged"]


def release_view(record: ReleaseRecord) -> dict[str, Any]:
    """What machines get of a release: the names in it are a contract."""
    noted = [step.result for step in record.steps if step.name in ("version", "register")]
    version: Mapping[str, Any] = next((each for each in reversed(noted) if each), {})
    return {**journal_view(record), "version": version.get("version"), "digest": version.get("digest")}


def print_begin(record: ReleaseRecord, steps: int) -> None:
    """What begins, or goes on."""
    done = sum(step.state == "done" for step in record.steps)
    goes_on = f", {done} of {steps} steps done before" if done else ""
    click.echo(f"Release {record.name}/{record.key} to {record.place}{goes_on}", err=True)


def print_record(record: ReleaseRecord) -> None:
    """A release with all its steps."""
    click.echo(f"Release:  {record.name}/{record.key}: {record.state}")
    click.echo(f"To:       {record.place}")
    click.echo(f"Begun:    {moment_text(record.created_at)} by {printable(record.by)}")
    print_steps(record)


def warn_of_damaged(log: ReleaseLog, name: str | None) -> None:
    """Say which releases of a use case, or of all, are left out because their file is not what was written."""
    print_warnings(f"Release {each} is left out: its release.json is damaged." for each in log.damaged(name))
