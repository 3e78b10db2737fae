"""``flowyard registry register``"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard._util.suggest import known_names
from flowyard.cli.registry.options import aliases_of, content_text, fact_view, version_view
from flowyard.cli.shared.options import read_settings, store_options, typed_pairs
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import printable
from flowyard.errors import UserError
from flowyard.flows.variants import parse_selection
from flowyard.registry.open import open_registry
from flowyard.registry.register_flow import FlowRegistered, FlowToRegister, register_flow
from flowyard.registry.registry import Registry
from flowyard.store import SqlStore

__all__ = ["register"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="The name to keep it under (default: the flow's own).")
@click.option("--variant", "variants", multiple=True, metavar="NODE=VARIANT", help="Keep this variant; repeatable.")
@click.option(
    "--parameter", "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="A value in the flow; repeatable."
)
@click.option("--description", default="", help="What this version is, for people.")
@click.option(
    "--run", "runs", multiple=True, metavar="NAME", help="A run of this version, with its metrics; repeatable."
)
@click.option("--experiment", metavar="NAME|KEY", help="An execution with runs of this version, metrics and gates.")
@click.option("--note", default="", help="A sentence for its lineage.")
@store_options
def register(
    path: Path,
    name: str | None,
    variants: tuple[str, ...],
    parameters: tuple[str, ...],
    description: str,
    runs: tuple[str, ...],
    experiment: str | None,
    note: str,
    home: str | None,
    as_json: bool,
) -> None:
    """Keep the flow at PATH; a new version only when no version has its content and choices."""
    settings = read_settings(home)
    wanted = FlowToRegister(
        path=path,
        by=person_name(settings.environ),
        name=name,
        selected=_selected(variants),
        parameters=typed_pairs(parameters, "--parameter"),
        description=description,
        runs=runs,
        experiment=experiment,
        note=note,
    )
    registry = open_registry(settings)
    registered = register_flow(registry, SqlStore(settings.home, settings.store), wanted)
    print_warnings(registered.warnings)
    _print(registry, registered, as_json=as_json)


def _selected(items: Iterable[str]) -> dict[str, str]:
    """``node=variant``, ``node.variant`` or ``${node.variant}`` by node."""
    found: dict[str, str] = {}
    for item in items:
        node, equals, variant = item.partition("=")
        pair = (node.strip(), variant.strip()) if equals and "${" not in item else parse_selection(item)
        if not all(pair):
            raise UserError(f"--variant takes NODE=VARIANT, not {item!r}.")
        if found.get(pair[0], pair[1]) != pair[1]:
            raise UserError(f"--variant names two variants of the node {pair[0]!r}.")
        found[pair[0]] = pair[1]
    return found


def _print(registry: Registry, registered: FlowRegistered, *, as_json: bool) -> None:
    version = registered.version
    if as_json:
        view = version_view(version, aliases_of(registry, version), registry.facts(version))
        added = [fact_view(fact) for fact in registered.facts]
        print_json({"name": version.name, "kind": version.kind, **view, "new": registered.is_new, "facts": added})
        return
    known = "" if registered.is_new else ", which has this content already"
    click.echo(f"{version.label}{known}: {content_text(version)}")
    if registered.facts:
        kinds = dict.fromkeys(fact.kind for fact in registered.facts)
        click.echo(f"Added to its lineage: {printable(known_names(kinds, most=20))}")
