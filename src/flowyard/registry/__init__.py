"""Datasets under a name, in versions that never change: kept by content, found again by ``name:version``."""

from flowyard.registry.datasets import DatasetRegistry, DatasetVersion, Registered
from flowyard.registry.tree import TreeFile, tree_digest

__all__ = ["DatasetRegistry", "DatasetVersion", "Registered", "TreeFile", "tree_digest"]
