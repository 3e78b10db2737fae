"""From the blocks to the selections that are run, read one at a time: a space of any size is never listed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.experiments.space.block import placed
from flowyard.experiments.space.parameters import ParameterValues, canonical
from flowyard.experiments.space.search import Search
from flowyard.experiments.space.variants import Choice, Filter, VariantsBlock, choices
from flowyard.flows.labels import selection_label
from flowyard.flows.model import Flow
from flowyard.flows.parameters import change_flow, require_parameter

__all__ = ["LARGEST_GRID", "FlowReader", "Selection", "Space", "expand", "open_space"]

FlowReader = Callable[[Mapping[str, str]], Flow]
"""Gives the flow with the selected variants."""

LARGEST_GRID = 10_000
"""How many combinations there may be without a limit; more are a slip of the pen."""

_SHUFFLED = 100_000
_MOST_SKIPPED = 1_000_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What one run of the flow is: the variant of every node that has several, and the parameters."""

    assignment: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call it."""
        return selection_label(self.assignment, self.parameters)

    @property
    def key(self) -> str:
        """The same text for selections that are the same."""
        return canonical([dict(sorted(self.assignment.items())), dict(sorted(self.parameters.items()))])


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter and the variants of its node that take it; None when it does not depend on a variant."""

    values: ParameterValues
    node: str | None = None
    takers: frozenset[str] | None = None

    def is_taken(self, assignment: Mapping[str, str]) -> bool:
        return self.takers is None or self.node is None or assignment[self.node] in self.takers


@dataclass(frozen=True, slots=True)
class Space:
    """Every combination, by a number from 0 to ``size``; some numbers may stand for the same selection, or for none."""

    defaults: Mapping[str, str]
    choices: Sequence[Choice]
    parameters: Sequence[_Parameter]
    block: VariantsBlock

    @property
    def size(self) -> int:
        """How many combinations there are before filters and repetitions."""
        values = math.prod(len(each.values.values) for each in self.parameters)
        return values * sum(map(_count, self.choices))

    def at(self, number: int) -> Selection | None:
        """The combination of a number; None when the filters leave it out. The last parameter changes first."""
        parameters: dict[str, Any] = {}
        for each in reversed(self.parameters):
            number, place = divmod(number, len(each.values.values))
            parameters[each.values.name] = each.values.values[place]
        assignment = self._assignment(number)
        taken = {
            each.values.name: parameters[each.values.name] for each in self.parameters if each.is_taken(assignment)
        }
        return Selection(assignment, taken) if self.block.keeps(assignment, taken) else None

    def _assignment(self, number: int) -> dict[str, str]:
        for choice in self.choices:
            if number < _count(choice):
                break
            number -= _count(choice)
        assignment = dict(self.defaults)
        for node, ids in reversed(list(choice.items())):
            number, place = divmod(number, len(ids))
            assignment[node] = ids[place]
        return assignment


def expand(space: Space, search: Search, datasets: int = 1) -> tuple[list[Selection], list[str]]:
    """The selections that are run over each of so many datasets, none twice, and warnings.

    Raises UserError when there is none, or when there are too many and no limit.
    """
    most = _most(search, datasets)
    if most is None and space.size > LARGEST_GRID:
        raise UserError(
            f"The search has {space.size:,} combinations, and no limit.",
            hint="Set 'search: {method: random, max_runs: 50}', or name fewer values.",
            where=search.where or None,
        )
    numbers = _shuffled(space.size, search.seed) if search.method == "random" else iter(range(space.size))
    found = list(itertools.islice(_distinct(space, numbers), most))
    if not found:
        message = "The filters of 'variants' leave nothing to run."
        raise UserError(message, hint="Check 'only' and 'except'.", where=space.block.where or None)
    return found, _left_out(space, found, most)


def _most(search: Search, datasets: int) -> int | None:
    if search.max_runs is None:
        return None
    if search.max_runs < datasets:
        message = f"'max_runs' is {search.max_runs}, but one selection is {datasets} runs, one for each dataset."
        raise UserError(message, hint=f"Set it to {datasets} or more.", where=search.where or None)
    return search.max_runs // datasets


def _distinct(space: Space, numbers: Iterable[int]) -> Iterator[Selection]:
    """The selections of these numbers, each once; gives up when a very long stretch brings nothing new."""
    seen: set[str] = set()
    skipped = 0
    for number in numbers:
        selection = space.at(number)
        if selection is None or selection.key in seen:
            skipped += 1
            if skipped > _MOST_SKIPPED:
                return
            continue
        skipped = 0
        seen.add(selection.key)
        yield selection


def _shuffled(size: int, seed: int) -> Iterator[int]:
    """The numbers below ``size`` in an order that the seed decides, none twice."""
    chance = random.Random(seed)
    if size <= _SHUFFLED:
        yield from chance.sample(range(size), size)
        return
    seen: set[int] = set()
    while len(seen) < size // 2:  # far beyond what anybody runs; later ones would be slow to find
        number = chance.randrange(size)
        if number not in seen:
            seen.add(number)
            yield number


def _left_out(space: Space, found: Sequence[Selection], most: int | None) -> list[str]:
    if most is None or len(found) < most or space.size <= most:
        return []
    return [f"'max_runs' leaves {len(found):,} of up to {space.size:,} combinations."]


def _count(choice: Choice) -> int:
    return math.prod(map(len, choice.values()))


def open_space(
    read_flow: FlowReader, block: VariantsBlock, parameters: Sequence[ParameterValues], chosen: Sequence[Choice] | None
) -> Space:
    """The space of a flow; ``chosen`` goes over what the block combines. Raises UserError for what the flow lacks."""
    flow = read_flow({})
    combined = list(chosen) if chosen is not None else choices(block, flow)
    by_variant = _Variants(read_flow, flow, combined)
    known = [_placed_parameter(by_variant, each) for each in parameters]
    for each in (*block.only, *block.excluded):
        _require_filter(each, flow, parameters)
    return Space(flow.chosen, combined, known, block)


class _Variants:
    """The flow with single variants, each read once."""

    def __init__(self, read_flow: FlowReader, flow: Flow, combined: Iterable[Choice]) -> None:
        self._read = read_flow
        self._flows: dict[tuple[str, str], Flow] = {}
        self.flow = flow
        self.used = {node: {variant} for node, variant in flow.chosen.items()}
        for choice in combined:
            for node, ids in choice.items():
                self.used.setdefault(node, set()).update(ids)

    def of(self, node: str) -> Iterator[tuple[str, Flow]]:
        """Each variant of a node that is run, with the flow that has it."""
        for variant in self.flow.variants.get(node, ()):
            if variant in self.used.get(node, ()):
                key = (node, variant)
                if key not in self._flows:
                    is_default = self.flow.chosen.get(node) == variant
                    self._flows[key] = self.flow if is_default else self._read({node: variant})
                yield variant, self._flows[key]


def _placed_parameter(variants: _Variants, values: ParameterValues) -> _Parameter:
    """The parameter with the variants that take it; one that none takes is unknown."""
    node = next((node for node in variants.used if values.name.removeprefix("nodes.").startswith(f"{node}.")), None)
    if node is None:
        with placed(values.where):
            _require_values(variants.flow, values)
        return _Parameter(values)
    takers, refusals = [], []
    for variant, flow in variants.of(node):
        try:
            require_parameter(flow, values.name)
        except UserError as error:
            refusals.append(error)
            continue
        takers.append(variant)
        with placed(values.where):
            _require_values(flow, values)
    if not takers:
        with placed(values.where):
            raise refusals[0]
    return _Parameter(values, node, frozenset(takers) if refusals else None)


def _require_values(flow: Flow, values: ParameterValues) -> None:
    """Try the values that can be wrong by themselves: names of files, and references."""
    target = require_parameter(flow, values.name)
    for value in values.values:
        if target.part == "source" or (isinstance(value, str) and value.startswith("${")):
            change_flow(flow, values.name, value)


def _require_filter(each: Filter, flow: Flow, parameters: Iterable[ParameterValues]) -> None:
    by_name: dict[str, Sequence[Any]] = {**flow.variants, **{known.name: known.values for known in parameters}}
    for name, wanted in each.values.items():
        if name not in by_name:
            hint = did_you_mean(name, by_name) or f"Nodes with variants, and parameters: {known_names(by_name)}."
            raise UserError(f"A filter of 'variants' names the unknown {name!r}.", hint=hint, where=each.where)
        known = {canonical(value) for value in by_name[name]}
        for value in wanted:
            if canonical(str(value) if name in flow.variants else value) not in known:
                near = did_you_mean(str(value), map(str, by_name[name])) or f"It has: {known_names(by_name[name])}."
                raise UserError(f"A filter of 'variants' names {value!r} of {name!r}.", hint=near, where=each.where)
