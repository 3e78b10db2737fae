"""``flowyard registry list``, ``show`` and ``lineage``"""

from __future__ import annotations

import click

from flowyard._util.moments import minute
from flowyard.cli.registry.options import (
    KINDS,
    aliases_of,
    content_text,
    fact_view,
    find_kind,
    kind_option,
    version_view,
)
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, print_tree, printable
from flowyard.registry.labels import parse_label
from flowyard.registry.lineage_tree import lineage_tree
from flowyard.registry.model import Kind, Version
from flowyard.registry.open import open_registry
from flowyard.registry.registry import Registry
from flowyard.reports.values import plural

__all__ = ["lineage", "list_", "show"]


@click.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only datasets, or only flows.")
@store_options
def list_(kind: Kind | None, home: str | None, as_json: bool) -> None:
    """List datasets and flows with their newest version and their aliases."""
    registry = open_registry(read_settings(home))
    kinds = (kind,) if kind else KINDS
    newest = [registry.find(name, each) for each in kinds for name in registry.names(each)]
    if as_json:
        print_json([_summary(registry, version) for version in newest])
        return
    rows = [
        (version.name, version.kind, version.version, _aliases_text(registry, version), minute(version.created_at))
        for version in newest
    ]
    print_table(["name", "kind", "newest", "aliases", "registered (UTC)"], rows)


@click.command()
@click.argument("label", metavar="NAME[:VERSION|@ALIAS]")
@kind_option
@store_options
def show(label: str, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Show all versions of a name; or one, with its files, choices and what is known of it."""
    registry = open_registry(read_settings(home))
    kind = find_kind(registry, label, kind)
    wanted = parse_label(label)
    is_one = wanted.version is not None or wanted.alias is not None
    found = registry.find(label, kind)
    versions = [found] if is_one else registry.versions(found.name, kind)
    if as_json:
        views = [version_view(each, aliases_of(registry, each), registry.facts(each)) for each in versions]
        print_json({"name": found.name, "kind": kind, "versions": views})
    elif is_one:
        _print_version(registry, found)
    else:
        rows = [
            (
                each.version,
                each.digest[:12],
                minute(each.created_at),
                ", ".join(aliases_of(registry, each)),
                each.description,
            )
            for each in versions
        ]
        print_table(
            ["version", "digest", "registered (UTC)", "aliases", "description"], rows, title=f"{kind} {found.name}"
        )


@click.command()
@click.argument("label", metavar="NAME[:VERSION|@ALIAS]")
@kind_option
@store_options
def lineage(label: str, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Show what a version came from, what was measured and decided, and where it went."""
    registry = open_registry(read_settings(home))
    version = registry.find(label, find_kind(registry, label, kind))
    facts = registry.facts(version)
    if as_json:
        head = {"name": version.name, "kind": version.kind, "version": version.version, "digest": version.digest}
        aliases = aliases_of(registry, version)
        print_json({**head, "aliases": aliases, "lineage": [fact_view(fact) for fact in facts]})
        return
    print_tree(lineage_tree(version, aliases_of(registry, version), facts))


def _summary(registry: Registry, version: Version) -> dict[str, object]:
    return {
        "name": version.name,
        "kind": version.kind,
        "newest": version.version,
        "digest": version.digest,
        "created": version.created_at,
        "aliases": dict(registry.aliases(version.name, version.kind)),
        "description": version.description,
    }


def _aliases_text(registry: Registry, version: Version) -> str:
    return ", ".join(f"{alias} → {number}" for alias, number in registry.aliases(version.name, version.kind).items())


def _print_version(registry: Registry, version: Version) -> None:
    facts = {
        version.kind.capitalize(): version.label,
        "About": version.description,
        "Registered": f"{minute(version.created_at)} UTC",
        "Digest": version.digest,
        "Aliases": ", ".join(aliases_of(registry, version)),
        "Variants": ", ".join(f"{node}={name}" for node, name in _mapping(version, "variant").items()),
        "Parameters": ", ".join(
            f"{name}={printable(value)}" for name, value in _mapping(version, "parameters").items()
        ),
        "Content": content_text(version),
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<12}{printable(value)}")
    print_table(["file", "bytes"], [(file.name, file.size) for file in version.files])
    known = registry.facts(version)
    if known:
        click.echo(f"\n{plural(len(known), 'fact')} of its lineage; see: flowyard registry lineage {version.label}")


def _mapping(version: Version, key: str) -> dict[str, object]:
    value = version.settings.get(key)
    return dict(value) if isinstance(value, dict) else {}
