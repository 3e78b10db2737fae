"""The selections of one experiment, by its blocks and by what a command puts over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flowyard.experiments.model import Experiment
from flowyard.experiments.space.expand import Selection, expand, open_space
from flowyard.experiments.space.parameters import ParameterValues, parse_parameters_block, unique
from flowyard.experiments.space.search import Search, parse_search_block
from flowyard.experiments.space.variants import VariantsBlock, parse_variants_block, parse_variants_option
from flowyard.flows.load import load_flow

__all__ = ["Selected", "select"]


@dataclass(frozen=True, slots=True)
class Selected:
    """What is run over each dataset, in order, and the search that it came from."""

    selections: tuple[Selection, ...]
    search: Search
    warnings: tuple[str, ...] = ()


def select(experiment: Experiment, variants: str | None, parameters: Mapping[str, Sequence[Any]]) -> Selected:
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
    read_flow = partial(load_flow, experiment.flow)
    chosen = None if variants is None else parse_variants_option(variants, read_flow(), variants_block)
    space = open_space(read_flow, variants_block, list(given.values()), chosen)
    found, warnings = expand(space, search, len(experiment.datasets))
    return Selected(tuple(found), search, tuple(warnings))
