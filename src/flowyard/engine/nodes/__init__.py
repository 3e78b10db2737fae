"""One file per kind of node; each makes a ``Step`` of it."""

from flowyard.engine.nodes.prepare import prepare_nodes

__all__ = ["prepare_nodes"]
