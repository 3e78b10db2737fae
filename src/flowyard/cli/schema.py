"""``flowyard schema``"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.output import print_json
from flowyard.scaffold import place_files
from flowyard.schemas import SCHEMAS, find_schema, schema_files

__all__ = ["schema"]


@click.group(cls=WholeGroup)
def schema() -> None:
    """JSON schemas of the files that people write, for editors and checks."""


@schema.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def list_(as_json: bool) -> None:
    """List the schemas, with the files that each is for."""
    if as_json:
        print_json([{"name": each.name, "files": each.names, "title": each.title} for each in SCHEMAS])
        return
    for each in SCHEMAS:
        click.echo(f"{each.name.ljust(11)} {', '.join(each.names).ljust(18)} {each.title}")


@schema.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the schema NAME, or that of files of this name."""
    print_json(find_schema(name).schema())


@schema.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def write(folder: Path) -> None:
    """Write all schemas into DIR, each as NAME.json; those that are there are replaced."""
    files = {PurePosixPath(name): text.encode() for name, text in schema_files().items()}
    there = [name.as_posix() for name in files]
    written = place_files(folder, files, force=there)
    for file in written:
        click.echo(f"Wrote {file}")
    if not written:
        click.echo("Everything is there already.")
