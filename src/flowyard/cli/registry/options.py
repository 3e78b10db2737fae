"""What the commands of ``flowyard registry`` have in common: which kind is meant, and what machines get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import click

from flowyard._util.suggest import did_you_mean
from flowyard.errors import Conflict, NotFound
from flowyard.registry.labels import parse_label
from flowyard.registry.model import Kind, LineageFact, Version
from flowyard.registry.registry import Registry

__all__ = ["KINDS", "aliases_of", "content_text", "fact_view", "find_kind", "kind_option", "version_view"]

KINDS: tuple[Kind, ...] = get_args(Kind)

F = TypeVar("F", bound=Callable[..., Any])


def kind_option(command: F) -> F:
    """``--kind``, where a name alone may not say it."""
    return click.option("--kind", type=click.Choice(KINDS), help="Which, when a dataset and a flow have one name.")(
        command
    )


def find_kind(registry: Registry, label: str, kind: Kind | None) -> Kind:
    """What a label's name is registered as. Raises NotFound, or Conflict when it is both and nobody said which."""
    if kind is not None:
        return kind
    name = parse_label(label).name
    found = [each for each in KINDS if registry.versions(name, each)]
    if len(found) > 1:
        raise Conflict(f"{name!r} is a dataset and a flow.", hint="Say which: --kind flow or --kind dataset.")
    if not found:
        known = sorted({each for kind in KINDS for each in registry.names(kind)})
        raise NotFound(
            f"Nothing named {name!r} is registered.", hint=did_you_mean(name, known) or "See: flowyard registry list"
        )
    return found[0]


def aliases_of(registry: Registry, version: Version) -> list[str]:
    """The aliases that point at a version now, sorted."""
    return [
        alias for alias, number in registry.aliases(version.name, version.kind).items() if number == version.version
    ]


def version_view(version: Version, aliases: Sequence[str], facts: Sequence[LineageFact]) -> dict[str, Any]:
    """What machines get of a version: the names in it are a contract."""
    return {
        "version": version.version,
        "label": version.label,
        "digest": version.digest,
        "created": version.created_at,
        "aliases": list(aliases),
        "lineage": [fact_view(fact) for fact in facts],
        "description": version.description,
        "settings": dict(version.settings),
        "files": [{"name": file.name, "bytes": file.size, "digest": file.digest} for file in version.files],
        "bytes": version.size,
        "is_folder": version.is_folder,
    }


def fact_view(fact: LineageFact) -> dict[str, Any]:
    """What machines get of a fact."""
    return {"kind": fact.kind, "value": dict(fact.value), "by": fact.by, "at": fact.at}


def content_text(version: Version) -> str:
    """How much a version holds."""
    return f"{len(version.files)} file{'s' if len(version.files) != 1 else ''}, {version.size:,} bytes"
