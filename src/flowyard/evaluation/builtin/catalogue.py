"""The evaluators that come with flowyard, by the name that ``type:`` has for them.

Their classes are named by place and imported when one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import NotFound
from flowyard.evaluation.builtin.entry import BuiltinEvaluator, EvaluatorMetric, EvaluatorOutput
from flowyard.evaluation.builtin.listed_judges import JUDGES
from flowyard.evaluation.builtin.listed_matches import MATCHES
from flowyard.evaluation.builtin.listed_scores import SCORES

__all__ = ["CATALOGUE", "find_builtin", "find_measure"]

CATALOGUE: Mapping[str, BuiltinEvaluator] = MappingProxyType({each.name: each for each in (*MATCHES, *SCORES, *JUDGES)})


def find_builtin(name: str, where: str | None = None) -> BuiltinEvaluator:
    """The evaluator of that name. Raises NotFound with the nearest names."""
    found = CATALOGUE.get(name)
    if found is None:
        hint = did_you_mean(name, CATALOGUE) or f"There are: {known_names(CATALOGUE, most=40)}."
        raise NotFound(
            f"There is no evaluator of type {name!r}.", hint=f"{hint}\nSee: flowyard evaluator list", where=where
        )
    return found


def find_measure(properties: Mapping[str, Any], name: str) -> EvaluatorOutput | EvaluatorMetric | None:
    """What the catalogue says of an output or a metric of a run with these properties: its bounds and better direction.

    None when no evaluator of the catalogue judged in that run, or when it has neither.
    """
    written = properties.get("evaluator")
    entry = CATALOGUE.get(str(written.get("type"))) if isinstance(written, Mapping) else None
    if entry is None:
        return None
    found: list[EvaluatorOutput | EvaluatorMetric] = [
        *(each for each in entry.outputs if each.kind != "text" and name in (each.metric, each.name)),
        *(each for each in entry.metrics if each.name == name),
    ]
    return found[0] if found else None
