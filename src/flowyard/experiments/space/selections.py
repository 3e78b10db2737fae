"""The selections of one experiment, by its blocks and by what a command puts over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard.experiments.model import Experiment
from flowyard.experiments.space.expand import FlowReader, Selection, expand, open_space
from flowyard.experiments.space.parameters import ParameterValues, parse_parameters_block, unique
from flowyard.experiments.space.search import Search, parse_search_block
from flowyard.experiments.space.variants import VariantsBlock, parse_variants_block, parse_variants_option
from flowyard.flows.load import load_flow
from flowyard.flows.model import Flow

__all__ = ["KeptFlows", "Selected", "select"]


@dataclass(frozen=True, slots=True)
class Selected:
    """What is run over each dataset, in order, and the search that it came from."""

    selections: tuple[Selection, ...]
    search: Search
    warnings: tuple[str, ...] = ()


class KeptFlows:
    """Reads the flow at a path with the selected variants, each way once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[frozenset[tuple[str, str]], Flow] = {}

    def __call__(self, selected: Mapping[str, str]) -> Flow:
        key = frozenset(selected.items())
        if key not in self._kept:
            self._kept[key] = load_flow(self._path, selected)
        return self._kept[key]


def select(
    experiment: Experiment, variants: str | None, parameters: Mapping[str, Sequence[Any]], read_flow: FlowReader
) -> Selected:
    """The selections; ``variants`` and ``parameters`` go over the blocks.

    Raises ExperimentInvalid for what is wrong in a block, UserError for what the flow does not have.
    """
    blocks = experiment.blocks
    variants_block, search, known = VariantsBlock(), Search(), tuple[ParameterValues, ...]()
    if "variants" in blocks:
        variants_block = parse_variants_block(blocks["variants"].value, blocks["variants"].file, "variants")
    if "parameters" in blocks:
        known = parse_parameters_block(blocks["parameters"].value, blocks["parameters"].file, "parameters")
    if "search" in blocks:
        search = parse_search_block(blocks["search"].value, blocks["search"].file, "search")
    given = {each.name: each for each in known} | {
        name: ParameterValues(name, unique(values), "--parameter") for name, values in parameters.items()
    }
    chosen = None if variants is None else parse_variants_option(variants, read_flow({}), variants_block)
    space = open_space(read_flow, variants_block, list(given.values()), chosen)
    found, warnings = expand(space, search, len(experiment.datasets))
    return Selected(tuple(found), search, tuple(warnings))
