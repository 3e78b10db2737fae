"""``flowyard registry checkout`` and ``copy``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard.cli.registry.options import content_text, find_kind, kind_option
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.registry.copies import copy_version, other_settings
from flowyard.registry.model import Kind
from flowyard.registry.open import open_registry
from flowyard.reports.values import plural

__all__ = ["checkout", "copy"]


@click.command()
@click.argument("label", metavar="NAME[:VERSION|@ALIAS]")
@click.argument("folder", type=click.Path(path_type=Path))
@kind_option
@store_options
def checkout(label: str, folder: Path, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Write the files of a version into FOLDER, which is new or empty, byte for byte."""
    registry = open_registry(read_settings(home))
    version = registry.find(label, find_kind(registry, label, kind))
    registry.checkout(version, folder)
    definition = version.settings.get("definition")
    if as_json:
        head = {"name": version.name, "kind": version.kind, "version": version.version, "digest": version.digest}
        print_json({**head, "folder": str(folder), "definition": definition})
        return
    click.echo(f"Wrote {version.label} to {folder}: {content_text(version)}")
    if version.kind == "flow":
        click.echo(f"Next: flowyard flow test --flow {folder / str(definition) if definition else folder}")


@click.command()
@click.argument("label", metavar="NAME[:VERSION|@ALIAS]")
@click.option(
    "--to", "target", required=True, metavar="URL|FOLDER", help="The other registry; env:NAME when its URL is secret."
)
@click.option("--to-files", metavar="URL|FOLDER", help="Where that one keeps files, if not beside its records.")
@kind_option
@store_options
def copy(label: str, target: str, to_files: str | None, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Give a version, with the same digest and all that is known of it, to another registry."""
    settings = read_settings(home)
    source = open_registry(settings)
    other = open_registry(other_settings(settings, target, to_files))
    version = source.find(label, find_kind(source, label, kind))
    copied = copy_version(version, source, other, person_name(settings.environ))
    made = copied.version
    if as_json:
        view = {"name": made.name, "kind": made.kind, "version": made.version, "digest": made.digest}
        print_json({**view, "registry": other.label, "new": copied.is_new, "facts": len(copied.facts)})
        return
    known = "" if copied.is_new else ", which it had already"
    click.echo(f"{version.label} is {made.label} of {other.label}{known}; added: {plural(len(copied.facts), 'fact')}.")
