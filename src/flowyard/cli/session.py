"""``flowyard session``"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from flowyard.cli.shared.options import read_settings, user_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.errors import NotFound
from flowyard.sessions.environments.built import BuiltEnvironments
from flowyard.sessions.environments.housekeeping import Listed, delete_environments, list_environments

__all__ = ["session"]


@click.group()
def session() -> None:
    """List and delete the environments that were built for sessions."""


@session.command("list")
@user_options
def list_(home: str | None, as_json: bool) -> None:
    """List built environments with their size, the one used last first."""
    environments = BuiltEnvironments(read_settings(home).user)
    listed = list_environments(environments)
    if as_json:
        print_json([_view(each) for each in listed])
    elif not listed:
        click.echo(f"No environments in {environments.root}. They are built by --session venv and container.")
    else:
        columns = ["key", "kind", "flow", "requirements", "size", "last used (UTC)"]
        print_table(columns, (_row(each) for each in listed))


@session.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--unused-for", type=click.IntRange(0), metavar="DAYS", help="Only those not used for this many days.")
@user_options
def clear(keys: tuple[str, ...], unused_for: int | None, home: str | None, as_json: bool) -> None:
    """Delete built environments: all, or those with these keys. They are built again when they are needed."""
    environments = BuiltEnvironments(read_settings(home).user)
    since = None if unused_for is None else datetime.now(UTC) - timedelta(days=unused_for)
    chosen = _chosen(environments, keys, since)
    deleted, kept = delete_environments(environments, chosen)
    if as_json:
        print_json({"deleted": deleted, "kept": kept})
    else:
        click.echo(f"Deleted {len(deleted)} environment{'' if len(deleted) == 1 else 's'}.")
    print_warnings(f"{key} is kept: {reason}" for key, reason in kept.items())


def _chosen(environments: BuiltEnvironments, keys: Iterable[str], since: datetime | None) -> list[str]:
    """The keys to delete; a key may be shortened. Raises NotFound."""
    built = list(environments.all())
    known = [each.key for each in built] + environments.unfinished()
    for wanted in keys:
        if not any(key.startswith(wanted) for key in known):
            raise NotFound(f"There is no environment {wanted!r}.", hint="See: flowyard session list")
    fresh = {each.key for each in built if since and datetime.fromisoformat(each.last_used) > since}
    wanted_all = tuple(keys) or ("",)
    return [key for key in known if key.startswith(wanted_all) and key not in fresh]


def _view(listed: Listed) -> dict[str, Any]:
    built = listed.built
    return {
        "key": built.key,
        "kind": built.note.kind,
        "flow": built.note.flow,
        "requirements": list(built.note.requirements),
        "tool": built.note.tool,
        "image": built.note.image,
        "size_bytes": listed.size_bytes,
        "built_at": built.note.built_at,
        "last_used": built.last_used,
        "path": str(built.folder),
    }


def _row(listed: Listed) -> list[Any]:
    note = listed.built.note
    size = "" if listed.size_bytes is None else f"{listed.size_bytes / 1e6:,.1f} MB"
    names = ", ".join(note.requirements)
    return [listed.built.key[:12], note.kind, note.flow, names, size, listed.built.last_used[:19].replace("T", " ")]
