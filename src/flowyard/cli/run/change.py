"""``flowyard run update``, ``archive``, ``restore`` and ``delete``"""

from __future__ import annotations

import sys
from typing import Any

import click

from flowyard.cli.shared.options import SpreadCommand, open_store, pairs, store_options
from flowyard.cli.shared.output import print_json, print_run_record
from flowyard.errors import UserError
from flowyard.runs.change import change_labels, change_run

__all__ = ["archive", "delete", "restore", "update"]


@click.command(cls=SpreadCommand)
@click.option("-n", "--name", required=True)
@click.option("--set", "settings", multiple=True, metavar="key=v…", help="display_name=…, description=…, tags.x=…")
@store_options
def update(name: str, settings: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Change a run's display name, description or tags."""
    print_run_record(change_labels(open_store(home), name, pairs(settings, "--set")), as_json=as_json)


@click.command()
@click.option("-n", "--name", required=True)
@store_options
def archive(name: str, home: str | None, as_json: bool) -> None:
    """Leave a run out of lists; nothing is deleted."""
    _mark(name, home, as_json, archived=True)


@click.command()
@click.option("-n", "--name", required=True)
@store_options
def restore(name: str, home: str | None, as_json: bool) -> None:
    """Show an archived run in lists again."""
    _mark(name, home, as_json, archived=False)


def _mark(name: str, home: str | None, as_json: bool, **changes: Any) -> None:
    print_run_record(change_run(open_store(home), name, **changes), as_json=as_json)


@click.command()
@click.option("-n", "--name", required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_options
def delete(name: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Delete a run with everything in its folder. Asks first."""
    store = open_store(home)
    run = store.get_run(name)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"Deleting run {name!r} needs a yes.", hint="Add -y; there is no terminal to ask on.")
        click.confirm(f"Delete run {name} and everything in {run.path}?", abort=True, err=True)
    store.delete_run(name)
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"Deleted run {name}.")
