"""Whether a node runs or is bypassed, decided when everything it reads is known."""

from __future__ import annotations

from flowyard.engine.scope import Scope
from flowyard.flows.model import Node, NodeRef

__all__ = ["is_bypassed", "looks_equal"]


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


def looks_equal(node: Node, scope: Scope) -> str | None:
    """What to tell the author of a condition that was not met only because of types: ``"true"`` is not ``true``."""
    rule = node.activate
    if rule is None or scope.was_bypassed(rule.when):
        return None
    value = scope.read(rule.when)
    alike = str(value).strip().lower() == str(rule.equals).strip().lower()
    if not alike or bool(value == rule.equals):
        return None
    kinds = f"{type(value).__name__} {value!r} with the {type(rule.equals).__name__} {rule.equals!r}"
    return f"{node.where}: node {node.name!r} is bypassed, because 'activate' compares the {kinds}; they are not equal."
