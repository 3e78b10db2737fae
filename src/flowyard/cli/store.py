"""``flowyard store``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.store import StoreStatus

__all__ = ["store"]


@click.group(cls=WholeGroup)
def store() -> None:
    """Show where records of runs are kept, and bring that place up to date."""


@store.command()
@store_options
def show(home: str | None, as_json: bool) -> None:
    """Show where the store is, its version and how many runs it has. Changes nothing."""
    status = open_store(home).status()
    if as_json:
        print_json(_view(status))
        return
    runs = ", ".join(f"{count} {name}" for name, count in status.runs.items())
    click.echo(f"Records:  {status.database} ({status.kind})")
    click.echo(f"Folders:  {status.home / 'runs'}")
    click.echo(f"Version:  {_version(status)}")
    click.echo(f"Runs:     {sum(status.runs.values())}{f' ({runs})' if runs else ''}")
    print_warnings(f"The record of {status.home / 'runs' / name} cannot be read." for name in status.left_out)


def _version(status: StoreStatus) -> str:
    if status.version == status.known_version:
        return str(status.version)
    if status.version == 0:
        return "none yet; the first run makes it"
    if status.version > status.known_version:
        return f"{status.version}, which is newer than this flowyard: pip install --upgrade flowyard"
    return f"{status.version}; the next command, or 'flowyard store migrate', makes it {status.known_version}"


def _view(status: StoreStatus) -> dict[str, object]:
    return {
        "kind": status.kind,
        "database": status.database,
        "home": str(status.home),
        "version": status.version,
        "known_version": status.known_version,
        "runs": dict(status.runs),
        "left_out": list(status.left_out),
    }


@store.command()
@store_options
def migrate(home: str | None, as_json: bool) -> None:
    """Bring the store to this version, and take in runs that are there as folders only."""
    place = open_store(home)
    before = place.status().version
    taken = place.migrate()
    status = place.status()
    if as_json:
        print_json({**_view(status), "version_before": before, "taken_in": taken.count})
        return
    step = f"from version {before} to {status.version}" if before != status.version else f"at version {before}"
    click.echo(f"{status.database} is {step}; {taken.count} runs were taken in from {status.home / 'runs'}.")
    print_warnings(f"The record of {status.home / 'runs' / name} cannot be read." for name in taken.left_out)
