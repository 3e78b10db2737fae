"""Which registered version something is, and which commit that comes from."""

from __future__ import annotations

from flowyard.registry.model import Version
from flowyard.registry.registry import Registry

__all__ = ["commit_of", "registered_version"]


def registered_version(registry: Registry, digest: str, name: str | None = None) -> Version | None:
    """The version with that digest, under that name or any; None when there is none."""
    for each in [name] if name else registry.names("flow"):
        for version in registry.versions(each, "flow"):
            if version.digest == digest:
                return version
    return None


def commit_of(registry: Registry, version: Version) -> str | None:
    """The commit whose files the version has, if one is known that was not changed since."""
    for fact in registry.facts(version):
        if fact.kind == "commit" and fact.value.get("dirty") is False:
            return str(fact.value.get("revision") or "") or None
    return None
