"""The block ``variants`` of ``experiment.yaml``: which variants of which nodes are run together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import UserError
from flowyard.experiments.space.block import BlockReader, shown
from flowyard.experiments.space.parameters import canonical
from flowyard.flows.model import Flow

__all__ = [
    "NAMED_KEYS",
    "VARIANTS_KEYS",
    "Filter",
    "Mode",
    "NamedSelection",
    "VariantsBlock",
    "choices",
    "parse_variants_block",
    "parse_variants_option",
]

Mode = Literal["one-at-a-time", "grid", "all"]
VARIANTS_KEYS = ("mode", "nodes", "named", "only", "except")
NAMED_KEYS = ("name", "select")

Choice = Mapping[str, tuple[str, ...]]
"""Variants to combine: every combination of one id of each node, the other nodes at their defaults."""


@dataclass(frozen=True, slots=True)
class NamedSelection:
    """Some variants that are run together, under a name to choose them by."""

    name: str
    select: Mapping[str, str]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Selections in which each name, a node or a parameter, has one of the values given for it."""

    values: Mapping[str, Sequence[Any]]
    where: str = ""

    def fits(self, assignment: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        """Whether a selection is meant; a parameter that it does not have has no value at all."""
        return all(self._has(assignment, parameters, name) for name in self.values)

    def _has(self, assignment: Mapping[str, Any], parameters: Mapping[str, Any], name: str) -> bool:
        wanted = self.values[name]
        if name in assignment:
            return assignment[name] in map(str, wanted)
        return name in parameters and canonical(parameters[name]) in map(canonical, wanted)


@dataclass(frozen=True, slots=True)
class VariantsBlock:
    """``mode`` is None when only ``named`` selections are run. ``nodes`` is empty for all nodes that have variants.

    ``places`` has the ``file:line`` of each of ``nodes``.
    """

    mode: Mode | None = "one-at-a-time"
    nodes: Choice = field(default_factory=dict)
    named: tuple[NamedSelection, ...] = ()
    only: tuple[Filter, ...] = ()
    excluded: tuple[Filter, ...] = ()
    where: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def keeps(self, assignment: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
        """Whether the filters let a selection through."""
        if self.only and not any(each.fits(assignment, parameters) for each in self.only):
            return False
        return not any(each.fits(assignment, parameters) for each in self.excluded)


def parse_variants_block(value: Any, file: YamlFile, *keys: str | int) -> VariantsBlock:
    """The block at ``keys``. Raises ExperimentInvalid with every problem; whether the flow has it all comes later."""
    reader = BlockReader(file, keys)
    block = reader.mapping(value)
    reader.known(block, VARIANTS_KEYS)
    mode = block.get("mode")
    if mode is not None and mode not in get_args(Mode):
        near = did_you_mean(str(mode), get_args(Mode)) or f"Modes: {known_names(get_args(Mode))}."
        reader.problem(f"there is no mode {shown(mode)}.", "mode", hint=near)
    nodes = reader.mapping(block.get("nodes") or {}, "nodes")
    if mode == "grid" and not nodes:
        reader.problem("mode 'grid' needs 'nodes'.", "mode", hint="Name them, or write 'mode: all' for every node.")
    found = VariantsBlock(
        mode=mode or (None if block.get("named") and not nodes else "one-at-a-time"),
        nodes={node: _ids(ids, reader, "nodes", node) for node, ids in nodes.items()},
        named=tuple(_named(block.get("named"), reader)),
        only=tuple(_filters(block.get("only"), reader, "only")),
        excluded=tuple(_filters(block.get("except"), reader, "except")),
        where=reader.where(),
        places={node: reader.where("nodes", node) for node in nodes},
    )
    reader.raise_problems()
    return found


def _ids(value: Any, reader: BlockReader, *keys: str | int) -> tuple[str, ...]:
    ids = value if isinstance(value, list) else [value]
    if not ids or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in ids):
        reader.problem(f"{shown(value)} is no list of variant ids.", *keys)
        return ()
    return tuple(dict.fromkeys(map(str, ids)))


def _named(value: Any, reader: BlockReader) -> Iterator[NamedSelection]:
    names: set[str] = set()
    for index, raw in _items(value, reader, "named"):
        item = reader.mapping(raw, "named", index)
        reader.known(item, NAMED_KEYS, "named", index)
        name, select = item.get("name"), item.get("select")
        if not isinstance(name, str) or not name or not isinstance(select, Mapping) or not select:
            hint = "Write {name: short, select: {node: variant}}."
            reader.problem("a named selection needs 'name' and 'select'.", "named", index, hint=hint)
            continue
        if name in names:
            reader.problem(f"two selections are named {name!r}.", "named", index)
        names.add(name)
        chosen = {str(node): str(variant) for node, variant in select.items()}
        yield NamedSelection(name, chosen, reader.where("named", index))


def _filters(value: Any, reader: BlockReader, key: str) -> Iterator[Filter]:
    for index, item in _items(value, reader, key):
        wanted = reader.mapping(item, key, index)
        if not wanted:
            reader.problem("an empty filter says nothing.", key, index, hint="Write {node: variant}.")
        yield Filter(
            {name: each if isinstance(each, list) else [each] for name, each in wanted.items()},
            reader.where(key, index),
        )


def _items(value: Any, reader: BlockReader, key: str) -> Iterator[tuple[int, Any]]:
    if value is None:
        return
    if not isinstance(value, list):
        reader.problem(f"{shown(value)} is not a list.", key)
        return
    yield from enumerate(value)


def choices(block: VariantsBlock, flow: Flow) -> list[Choice]:
    """What is combined, the defaults first; each stands for the product of its ids. Raises UserError for unknown names.

    Combinations may come up more than once in different choices.
    """
    for node, ids in block.nodes.items():
        for variant in ids:
            _require_variant(flow, node, variant, block.places.get(node, block.where))
    for each in block.named:
        for node, variant in each.select.items():
            _require_variant(flow, node, variant, each.where)
    every = {node: ids for node, ids in flow.variants.items() if node in flow.chosen}
    nodes = dict(block.nodes) or every
    found: list[Choice] = []
    if block.mode == "one-at-a-time":
        found += [{}, *({node: (variant,)} for node, ids in nodes.items() for variant in ids)]
    elif block.mode == "grid":
        found.append(nodes)
    elif block.mode == "all":
        found.append({**every, **block.nodes})
    return [*found, *({node: (variant,) for node, variant in each.select.items()} for each in block.named)]


def _require_variant(flow: Flow, node: str, variant: str, where: str) -> None:
    if node not in flow.variants:
        near = did_you_mean(node, flow.variants) or f"Nodes with variants: {known_names(flow.variants)}."
        raise UserError(f"Flow {flow.name!r} has no node {node!r} with variants.", hint=near, where=where)
    ids = flow.variants[node]
    if variant not in ids:
        near = did_you_mean(variant, ids) or f"It has: {known_names(ids)}."
        raise UserError(f"Node {node!r} has no variant {variant!r}.", hint=near, where=where)


def parse_variants_option(text: str, flow: Flow, block: VariantsBlock) -> list[Choice]:
    """``--variants``: ``all`` (each variant once, the other nodes at their defaults), ``defaults``, or a list of
    ``node.variant``, bare variant ids and names of the block's selections, separated by commas. Raises UserError.
    """
    if text in ("all", "*"):
        return choices(VariantsBlock(), flow)
    if text == "defaults":
        return [{}]
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise UserError(f"{text!r} names no variant.", hint="Write all, defaults or node.variant,node.variant.")
    return [choice for item in items for choice in _chosen(item, flow, block)]


def _chosen(item: str, flow: Flow, block: VariantsBlock) -> list[Choice]:
    bare = item.removeprefix("${").removesuffix("}")
    every = [(node, variant) for node, ids in flow.variants.items() for variant in ids]
    named: list[Choice] = [
        {node: (variant,) for node, variant in each.select.items()} for each in block.named if each.name == bare
    ]
    found = named or [{node: (variant,)} for node, variant in every if bare in (f"{node}.{variant}", variant)]
    if not found:
        names = [*(f"{node}.{variant}" for node, variant in every), *(each.name for each in block.named)]
        near = did_you_mean(bare, [*names, *(variant for _, variant in every)])
        hint = near or f"It has: {known_names(names)}; or all, defaults."
        raise UserError(f"Flow {flow.name!r} has no variant {bare!r}.", hint=hint)
    return found
