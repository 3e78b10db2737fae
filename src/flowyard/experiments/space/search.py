"""The block ``search`` of ``experiment.yaml``: how much of the space is tried, and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.experiments.space.block import BlockReader, shown

__all__ = ["SEARCH_KEYS", "Method", "Search", "parse_search_block"]

Method = Literal["grid", "random"]
SEARCH_KEYS = ("method", "seed", "max_runs", "max_cost")


@dataclass(frozen=True, slots=True)
class Search:
    """``grid`` tries everything in order, ``random`` in an order that ``seed`` decides.

    At most ``max_runs`` runs are made, evaluations not counted, and only those that the estimate of ``max_cost_usd``
    dollars in all, evaluations included, has room for.
    """

    method: Method = "grid"
    seed: int = 0
    max_runs: int | None = None
    max_cost_usd: float | None = None
    where: str = ""


def parse_search_block(value: Any, file: YamlFile, *keys: str | int) -> Search:
    """The block at ``keys``. Raises ExperimentInvalid with every problem."""
    reader = BlockReader(file, keys)
    block = reader.mapping(value)
    reader.known(block, SEARCH_KEYS)
    method, seed = block.get("method", "grid"), block.get("seed", 0)
    max_runs, max_cost = block.get("max_runs"), block.get("max_cost")
    if method not in get_args(Method):
        hint = did_you_mean(str(method), get_args(Method)) or f"Methods: {known_names(get_args(Method))}."
        reader.problem(f"there is no method {shown(method)}.", "method", hint=hint)
    if type(seed) is not int:
        reader.problem(f"'seed' is {shown(seed)}, not a whole number.", "seed")
    if max_runs is not None and (type(max_runs) is not int or max_runs < 1):
        reader.problem(f"'max_runs' is {shown(max_runs)}, not a whole number above 0.", "max_runs")
    if max_cost is not None and not _is_amount(max_cost):
        reader.problem(f"'max_cost' is {shown(max_cost)}, not dollars above 0.", "max_cost")
    reader.raise_problems()
    return Search(method, seed, max_runs, None if max_cost is None else float(max_cost), reader.where())


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
