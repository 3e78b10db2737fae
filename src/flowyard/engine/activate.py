"""Whether a node runs or is bypassed, decided when everything it reads is known."""

from __future__ import annotations

from flowyard.engine.scope import Scope
from flowyard.flows.model import Node, NodeRef

__all__ = ["is_bypassed"]


def is_bypassed(node: Node, scope: Scope) -> bool:
    """Prompt flow's rule, in its order.

    With ``activate``: bypassed when its condition reads a bypassed node or is not met; a met condition runs the node
    even if all it reads was bypassed. Without: bypassed when it reads nodes and all of them were bypassed.
    """
    rule = node.activate
    if rule is not None:
        return scope.was_bypassed(rule.when) or not bool(scope.read(rule.when) == rule.equals)
    read = [value for value in node.inputs.values() if isinstance(value, NodeRef)]
    return bool(read) and all(scope.was_bypassed(value) for value in read)
