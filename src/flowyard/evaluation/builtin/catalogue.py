"""The evaluators that come with flowyard, by the name that ``type:`` has for them.

Their classes are named by place and imported when one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import NotFound
from flowyard.evaluation.builtin.entry import BuiltinEvaluator
from flowyard.evaluation.builtin.listed_matches import MATCHES
from flowyard.evaluation.builtin.listed_scores import SCORES

__all__ = ["CATALOGUE", "find_builtin"]

CATALOGUE: Mapping[str, BuiltinEvaluator] = MappingProxyType({each.name: each for each in (*MATCHES, *SCORES)})


def find_builtin(name: str, where: str | None = None) -> BuiltinEvaluator:
    """The evaluator of that name. Raises NotFound with the nearest names."""
    found = CATALOGUE.get(name)
    if found is None:
        hint = did_you_mean(name, CATALOGUE) or f"There are: {known_names(CATALOGUE, most=40)}."
        raise NotFound(
            f"There is no evaluator of type {name!r}.", hint=f"{hint}\nSee: flowyard evaluator list", where=where
        )
    return found
