"""Moving an alias to a version once, however often that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from flowyard.registry.model import AliasChange, Version
from flowyard.registry.registry import Registry

__all__ = ["point_alias"]


def point_alias(registry: Registry, version: Version, alias: str, by: str, reason: str) -> None:
    """Point an alias at the version, unless it does."""
    if registry.aliases(version.name, version.kind).get(alias) != version.version:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        registry.move_alias(version.name, AliasChange(alias, version.version, by, reason, now), version.kind)
