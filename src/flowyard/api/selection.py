"""The flow that a call means, with a variant for some of its nodes."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.client.subject import Subject, flow_of
from flowyard.errors import UserError
from flowyard.flows.model import Flow
from flowyard.flows.variants import parse_selection

__all__ = ["Variant", "selected_flow", "selection_of"]

Variant = str | Mapping[str, str]
"""``node.variant``, several with commas between them, or ``{node: variant}``."""


def selection_of(variant: Variant | None) -> dict[str, str]:
    """``{node: variant}``. Raises UserError for a text that selects none, and for two variants of one node."""
    if variant is None:
        return {}
    if isinstance(variant, Mapping):
        return {str(node): str(name) for node, name in variant.items()}
    selected: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in variant.split(","))):
        node, name = parse_selection(item)
        if selected.setdefault(node, name) != name:
            raise UserError(f"{variant!r} selects two variants of node {node!r}.")
    return selected


def selected_flow(subject: Subject, variant: Variant | None = None) -> Flow:
    """The flow that is meant, with its variants. Raises UserError, FlowInvalid."""
    selected = selection_of(variant)
    loaded = getattr(subject, "flow", None)
    if not isinstance(loaded, Flow):
        return flow_of(subject, selected)
    return flow_of(loaded.file, selected) if selected else loaded
