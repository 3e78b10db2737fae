"""``flowyard dataset``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowyard._util.moments import minute
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.registry import Registry, Version, open_registry

__all__ = ["dataset"]


@click.group(cls=WholeGroup)
def dataset() -> None:
    """Keep data under a name, in versions that never change, for ``source: registry:NAME:VERSION``."""


@dataset.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The dataset's name.")
@click.option("--description", default="", help="What this version is, for people.")
@store_options
def register(path: Path, name: str, description: str, home: str | None, as_json: bool) -> None:
    """Keep the file or folder PATH; a new version only when its content is new."""
    registry = _registry(home)
    registered = registry.register(path, name, description)
    if as_json:
        print_json({**_view(registry, registered.version), "new": registered.is_new})
        return
    known = "" if registered.is_new else ", which has this content already"
    click.echo(f"{registered.version.label}{known}: {_size(registered.version)}")


@dataset.command("list")
@store_options
def list_(home: str | None, as_json: bool) -> None:
    """List all datasets with their newest version."""
    registry = _registry(home)
    newest = [registry.find(name) for name in registry.names()]
    if as_json:
        print_json([_view(registry, each) for each in newest])
        return
    rows = [
        (each.name, each.version, _size(each), minute(each.created_at), printable(each.description)) for each in newest
    ]
    print_table(["dataset", "version", "content", "registered (UTC)", "description"], rows)


@dataset.command()
@click.argument("label", metavar="NAME[:VERSION|@ALIAS]")
@store_options
def show(label: str, home: str | None, as_json: bool) -> None:
    """Show a version, by default the newest, with its files; their bytes are checked."""
    registry = _registry(home)
    found = registry.find(label)
    path = registry.resolve(found.label)
    if as_json:
        print_json(_view(registry, found))
        return
    click.echo(f"Dataset:     {found.label}")
    click.echo(f"Description: {printable(found.description)}")
    click.echo(f"Registered:  {minute(found.created_at)} UTC")
    click.echo(f"Digest:      {found.digest}")
    click.echo(f"Aliases:     {', '.join(_aliases(registry, found)) or 'none'}")
    click.echo(f"Data:        {path}")
    print_table(["file", "bytes"], [(printable(file.name), file.size) for file in found.files])


def _registry(home: str | None) -> Registry:
    return open_registry(read_settings(home))


def _aliases(registry: Registry, version: Version) -> list[str]:
    return [alias for alias, number in registry.aliases(version.name).items() if number == version.version]


def _size(version: Version) -> str:
    return f"{len(version.files)} file{'s' if len(version.files) != 1 else ''}, {version.size:,} bytes"


def _view(registry: Registry, version: Version) -> dict[str, Any]:
    """What machines get of a version: the names in it are a contract. ``path`` is null until the files are fetched."""
    path = registry.path(version)
    return {
        "name": version.name,
        "version": version.version,
        "source": f"registry:{version.label}",
        "aliases": _aliases(registry, version),
        "digest": version.digest,
        "files": [{"name": file.name, "bytes": file.size, "digest": file.digest} for file in version.files],
        "bytes": version.size,
        "is_folder": version.is_folder,
        "description": version.description,
        "created_at": version.created_at,
        "path": str(path) if path.exists() else None,
    }
