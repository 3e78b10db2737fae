"""Versions of datasets and flows under a name: they never change, and are found again by name, version or alias."""

from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version, version_digest
from flowyard.registry.open import open_registry
from flowyard.registry.registry import Registry
from flowyard.registry.tree import TreeFile, tree_digest

__all__ = [
    "AliasChange",
    "Draft",
    "Kind",
    "LineageFact",
    "Registered",
    "Registry",
    "TreeFile",
    "Version",
    "open_registry",
    "tree_digest",
    "version_digest",
]
