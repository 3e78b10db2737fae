"""``flowyard image list`` and ``show``"""

from __future__ import annotations

import json
from typing import Any

import click

from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.deploy.image.records import ImageRecord, ImageRecords

__all__ = ["image_view", "list_", "print_image", "show"]


@click.command("list")
@store_options
def list_(home: str | None, as_json: bool) -> None:
    """List the images that were built here, the newest first."""
    records = ImageRecords(read_settings(home).home)
    found = list(records.all())
    if as_json:
        print_json([image_view(each, records) for each in found])
    elif not found:
        click.echo("No images were built here. Build one: flowyard image build")
    else:
        columns = ["version", "reference", "digest", "size", "builder", "built (UTC)"]
        print_table(columns, (_row(each) for each in found))


@click.command()
@click.argument("name", metavar="NAME:VERSION|REFERENCE|KEY")
@store_options
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show the newest image of that name, where it is, and how many parts it has."""
    records = ImageRecords(read_settings(home).home)
    record = records.get(name)
    if as_json:
        print_json(image_view(record, records))
        return
    print_image(record, records)


def image_view(record: ImageRecord, records: ImageRecords) -> dict[str, Any]:
    """What machines get of an image: the names in it are a contract."""
    return {
        "version": record.version_label,
        "version_digest": record.version_digest,
        "reference": record.pushed[-1] if record.pushed else record.reference,
        "local_reference": record.reference,
        "digest": record.image,
        "pushed": list(record.pushed),
        "base": {"name": record.base, "digest": record.base_digest},
        "builder": record.builder,
        "size_bytes": record.size,
        "built_at": record.built_at,
        "key": record.key,
        "sbom": str(records.sbom(record.key)),
        "context": str(records.root / record.key / "context"),
    }


def print_image(record: ImageRecord, records: ImageRecords) -> None:
    """What a person wants to know of an image."""
    view = image_view(record, records)
    parts = json.loads(records.sbom(record.key).read_text("utf-8"))["components"]
    facts = {
        "image": record.reference,
        "digest": record.image,
        "version": f"{record.version_label} ({record.version_digest[:12]})",
        "base": f"{record.base} ({record.base_digest[:19]})",
        "size": _size(record.size),
        "pushed": ", ".join(record.pushed) or "no",
        "parts": f"{len(parts)} packages: {view['sbom']}",
        "context": view["context"],
    }
    for name, text in facts.items():
        click.echo(f"{name:<9}{text}")


def _row(record: ImageRecord) -> list[str]:
    place = record.pushed[-1] if record.pushed else record.reference
    return [
        record.version_label,
        place,
        record.image[:19],
        _size(record.size),
        record.builder,
        record.built_at[:16].replace("T", " "),
    ]


def _size(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
