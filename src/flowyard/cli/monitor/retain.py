"""``flowyard monitor retain``"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from flowyard._util.moments import moment_text
from flowyard._util.printable import printable_text
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.production.store.retain import Old, delete_old, find_old
from flowyard.production.store.store import open_production

__all__ = ["retain"]


@click.command()
@click.argument("folders", metavar="[FOLDER…]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--days", type=click.FloatRange(0, 36500), required=True, help="How long records are kept.")
@click.option("--yes", is_flag=True, help="Delete; without it, nothing is changed.")
@store_options
def retain(folders: tuple[Path, ...], days: float, yes: bool, home: str | None, as_json: bool) -> None:
    """Show, and with --yes delete, records that are older: in the store, and files of FOLDER….

    A file is deleted when nobody has written to it for as long and all of it is in the store.
    """
    store = open_production(read_settings(home))
    until = datetime.now(UTC) - timedelta(days=days)
    old = (delete_old if yes else find_old)(store, folders, until)
    if as_json:
        files, kept = list(map(str, old.files)), list(map(str, old.kept))
        view = {"until": until.isoformat(), "records": old.records, "files": files, "kept": kept}
        print_json({**view, "deleted": yes})
        return
    _print(old, deleted=yes)


def _print(old: Old, *, deleted: bool) -> None:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in old.records.items())
    files = f"{len(old.files)} file{'' if len(old.files) == 1 else 's'}"
    done = "Deleted" if deleted else "Would delete"
    click.echo(f"{done} what is older than {moment_text(old.until)}: {counts}, {files}.")
    for path in old.kept:
        click.echo(printable_text(f"Kept {path}: it is not wholly collected."))
    if not deleted:
        click.echo("Nothing was changed; --yes deletes.")
