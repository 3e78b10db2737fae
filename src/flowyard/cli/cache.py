"""``flowyard cache``"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.errors import OutsideError, UserError
from flowyard.llm.cache import cache_file
from flowyard.llm.cache.kept_file import repaired
from flowyard.llm.cache.tables import clear as clear_kept
from flowyard.llm.cache.tables import connect, contents, shrink

__all__ = ["cache"]


@click.group(cls=WholeGroup)
def cache() -> None:
    """Show and clear the answers that are kept so that they are not paid for twice."""


@cache.command()
@store_options
def show(home: str | None, as_json: bool) -> None:
    """Show what is kept: how many answers of which model or node, and how large they are."""
    file = cache_file(read_settings(home).home)
    with _opened(file) as connection:
        kept = contents(connection) if connection is not None else ()
    names = ("of", "answers", "bytes", "first_used", "last_used")
    rows = [dict(zip(names, (*row[:3], *map(_moment, row[3:])), strict=True)) for row in kept]
    total = {"answers": sum(row[1] for row in kept), "bytes": sum(row[2] for row in kept)}
    if as_json:
        print_json({"file": str(file), **total, "kept": rows})
    elif not rows:
        click.echo(f"Nothing is kept in {file}.")
    else:
        columns = ["of", "answers", "bytes", "first used (UTC)", "last used (UTC)"]
        print_table(columns, [list(row.values()) for row in rows])
        click.echo(f"{total['answers']:,} answers, {total['bytes']:,} bytes in {file}")


@cache.command()
@click.option("--of", "label", metavar="NAME", help="Only answers of this model or node.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_options
def clear(label: str | None, yes: bool, home: str | None, as_json: bool) -> None:
    """Delete kept answers. Asks first."""
    file = cache_file(read_settings(home).home)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("Deleting kept answers needs a yes.", hint="Add -y; there is no terminal to ask on.")
        click.confirm(f"Delete kept answers in {file}?", abort=True, err=True)
    with _opened(file) as connection:
        count = 0
        if connection is not None:
            count = clear_kept(connection, label)
            shrink(connection)
    if as_json:
        print_json({"file": str(file), "deleted": count})
    else:
        click.echo(f"Deleted {count:,} answers.")


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection to the file; None when there is none. Raises OutsideError."""
    print_warnings(repaired(file))
    if not file.exists():
        yield None
        return
    try:
        with closing(connect(file)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise OutsideError(f"The kept answers in {file} cannot be read: {error}.") from None


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:19]
