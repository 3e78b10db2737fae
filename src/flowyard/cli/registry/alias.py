"""``flowyard registry alias``"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from flowyard._util.moments import minute
from flowyard._util.person import person_name
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.registry.options import find_kind, kind_option
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.registry.model import AliasChange, Kind
from flowyard.registry.open import open_registry

__all__ = ["alias"]


@click.group(cls=WholeGroup)
def alias() -> None:
    """Point names such as candidate or production@dev at versions; every change is kept, with who and why."""


@alias.command("set")
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@click.argument("version", metavar="VERSION")
@click.option("--reason", required=True, help="Why, for those who look later.")
@kind_option
@store_options
def set_(
    name: str, alias_name: str, version: str, reason: str, kind: Kind | None, home: str | None, as_json: bool
) -> None:
    """Point ALIAS of NAME at a version; VERSION is its number, or another alias as @ALIAS.

    Nothing is written when it points there already.
    """
    _change(name, alias_name, version, reason, kind, home, as_json=as_json)


@alias.command()
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@click.option("--reason", required=True, help="Why, for those who look later.")
@kind_option
@store_options
def remove(name: str, alias_name: str, reason: str, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Take ALIAS away; the version stays."""
    _change(name, alias_name, None, reason, kind, home, as_json=as_json)


@alias.command("list")
@click.argument("name")
@kind_option
@store_options
def list_(name: str, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """List the aliases of NAME, and every change of them, newest last."""
    registry = open_registry(read_settings(home))
    kind = find_kind(registry, name, kind)
    aliases, changes = registry.aliases(name, kind), registry.alias_changes(name, kind)
    if as_json:
        print_json({"name": name, "kind": kind, "aliases": dict(aliases), "changes": [_view(each) for each in changes]})
        return
    print_table(["alias", "version"], list(aliases.items()))
    if changes:
        click.echo()
        rows = [(minute(each.at), each.alias, each.version or "removed", each.by, each.reason) for each in changes]
        print_table(["when (UTC)", "alias", "version", "by", "reason"], rows)


def _change(
    name: str, alias_name: str, version: str | None, reason: str, kind: Kind | None, home: str | None, *, as_json: bool
) -> None:
    settings = read_settings(home)
    registry = open_registry(settings)
    kind = find_kind(registry, name, kind)
    before = registry.aliases(name, kind).get(alias_name)
    number = None if version is None else registry.find(f"{name}{_ending(version)}", kind).version
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if number is not None and number == before:  # given again, as after a kill: it is in the history already
        change = [each for each in registry.alias_changes(name, kind) if each.alias == alias_name][-1]
    else:
        change = AliasChange(alias_name, number, person_name(settings.environ), reason, now)
        registry.move_alias(name, change, kind)
    if as_json:
        print_json({"name": name, "kind": kind, **_view(change), "before": before})
        return
    was = "" if before is None else " already" if before == number else f" (was {before})"
    click.echo(f"{printable(alias_name)} of {name}: {'removed' if number is None else number}{was}")


def _ending(version: str) -> str:
    return version if version.startswith("@") else f":{version.removeprefix(':')}"


def _view(change: AliasChange) -> dict[str, object]:
    return {
        "alias": change.alias,
        "version": change.version,
        "by": change.by,
        "reason": change.reason,
        "at": change.at,
    }
