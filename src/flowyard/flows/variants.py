"""Choosing one variant of each node that has several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError

__all__ = ["Choice", "apply_variants", "parse_selection", "variant_ids"]

_SELECTION = re.compile(r"^\$\{([^.{}]+)\.([^{}]+)\}$")


@dataclass(frozen=True, slots=True)
class Choice:
    """Node definitions after variants were chosen: the raw list, each definition's key path, and the assignment."""

    nodes: list[Mapping[str, Any]]
    paths: list[tuple[str | int, ...]]
    chosen: dict[str, str]


def parse_selection(text: str) -> tuple[str, str]:
    """``${node.variant}`` (or ``node.variant``) as (node, variant). Raises UserError."""
    bare = text.strip().strip("'\"")
    match = _SELECTION.match(bare) or _SELECTION.match(f"${{{bare}}}")
    if match is None:
        raise UserError(f"{text!r} does not select a variant.", hint="Write --variant '${node.variant}'.")
    return match[1], match[2]


def variant_ids(raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Each node that has variants, with their ids, the default first."""
    found: dict[str, tuple[str, ...]] = {}
    for node, entry in (raw.get("node_variants") or {}).items():
        ids = [str(name) for name in (entry.get("variants") or {})]
        default = str(entry.get("default_variant_id"))
        found[str(node)] = tuple(sorted(ids, key=lambda name: name != default))
    return found


def apply_variants(raw: Mapping[str, Any], selected: Mapping[str, str]) -> Choice:
    """The nodes of a raw flow with each variant node replaced by the body of its selected or default variant.

    The variant's body replaces the whole entry; only the name is kept. Raises UserError for unknown names.
    """
    variants = raw.get("node_variants") or {}
    _require_known(variants, selected)
    choice = Choice([], [], {})
    for index, node in enumerate(raw.get("nodes") or []):
        name = node.get("name") if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and node.get("use_variants") and isinstance(name, str):
            variant = selected.get(name) or _default(name, variants)
            choice.chosen[name] = variant
            entry = variants[name]["variants"][variant]
            body = entry.get("node") if isinstance(entry, Mapping) else None
            choice.nodes.append({**(body if isinstance(body, Mapping) else {}), "name": name})
            choice.paths.append(("node_variants", name, "variants", variant, "node"))
        else:
            choice.nodes.append(node)
            choice.paths.append(("nodes", index))
    unused = [name for name in selected if name not in choice.chosen]
    if unused:
        raise UserError(f"Node {unused[0]!r} has no 'use_variants: true', so no variant of it can be selected.")
    return choice


def _require_known(variants: Mapping[str, Any], selected: Mapping[str, str]) -> None:
    for node, variant in selected.items():
        if node not in variants:
            hint = did_you_mean(node, variants) or f"Nodes with variants: {known_names(variants)}."
            raise UserError(f"Variant '${{{node}.{variant}}}' names node {node!r}, which has no variants.", hint=hint)
        ids = variants[node].get("variants") or {}
        if variant not in ids:
            hint = did_you_mean(variant, ids) or f"It has: {known_names(ids)}."
            raise UserError(f"Node {node!r} has no variant {variant!r}.", hint=hint)


def _default(name: str, variants: Mapping[str, Any]) -> str:
    entry = variants.get(name)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("variants"), Mapping):
        raise UserError(f"Node {name!r} says 'use_variants: true', but node_variants has no entry for it.")
    default = entry.get("default_variant_id")
    if default is None or str(default) not in entry["variants"]:
        raise UserError(
            f"node_variants.{name} has no usable default_variant_id ({default!r}).",
            hint=f"Set it to one of: {known_names(entry['variants'])}.",
        )
    return str(default)
