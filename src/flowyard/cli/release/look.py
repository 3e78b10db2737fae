"""``flowyard release list`` and ``show``"""

from __future__ import annotations

import click

from flowyard.cli.release.view import print_record, release_view, warn_of_damaged
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.release import ReleaseLog
from flowyard.release.model import ReleaseRecord

__all__ = ["list_", "show"]


@click.command("list")
@click.argument("name", required=False)
@store_options
def list_(name: str | None, home: str | None, as_json: bool) -> None:
    """List the releases of NAME, or of all use cases, newest first."""
    log = ReleaseLog(read_settings(home).home)
    found = log.list(name)
    warn_of_damaged(log, name)
    if as_json:
        print_json([release_view(each) for each in found])
        return
    print_table(["release", "to", "state", "step"], map(_row, found), whole=("release", "state"))


@click.command()
@click.argument("key", metavar="KEY|NAME")
@store_options
def show(key: str, home: str | None, as_json: bool) -> None:
    """Show the release KEY, or the last one of the use case NAME, with its steps."""
    log = ReleaseLog(read_settings(home).home)
    record = log.get(key)
    warn_of_damaged(log, record.name)
    if as_json:
        print_json(release_view(record))
        return
    print_record(record)


def _row(record: ReleaseRecord) -> tuple[object, ...]:
    at = next((step.name for step in record.steps if step.state != "done"), "")
    return f"{record.name}/{record.key}", record.place, record.state, at
