"""Judging a run that there is, by any evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowyard.errors import UserError
from flowyard.evaluation.evaluate import evaluate, new_evaluation_name
from flowyard.evaluation.subjects import EvaluatorSource, EvaluatorSubject, find_subject
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource, data_source
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts

__all__ = ["NamedEvaluator", "evaluate_again"]


@dataclass(frozen=True, slots=True)
class NamedEvaluator:
    """An evaluator and what it is called."""

    name: str
    subject: EvaluatorSubject

    @classmethod
    def of(cls, name: str, source: EvaluatorSource, options: Mapping[str, str]) -> NamedEvaluator:
        """With options as a command line gives them: numbers, flags and lists are written as in JSON.

        Raises UserError, FlowInvalid.
        """
        if options and not (source.type or source.python):
            message = f"{name} is an evaluation flow, which takes no options."
            raise UserError(message, hint="Map its inputs: --column-mapping input=value.")
        decoded = {key: _decoded(value) for key, value in options.items()}
        return cls(name, find_subject(replace(source, options=decoded)))

    def mapping(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What of a mapping that is for several evaluators is for this one, as far as its inputs are known."""
        inputs = self.subject.flow.inputs
        return self.subject.mapping({key: value for key, value in given.items() if key in inputs or not inputs})


async def evaluate_again(
    base: RunRecord,
    evaluators: Sequence[NamedEvaluator],
    data: DataSource | None,
    mapping: Mapping[str, Any],
    parts: RunParts,
    *,
    name: str | None = None,
    options: RunOptions | None = None,
    properties: Mapping[str, str] | None = None,
) -> dict[str, RunRecord]:
    """Judge ``base`` by each evaluator, one after the other, and return the runs by the evaluators' names.

    Without ``data`` what is expected comes from the data of ``base``. ``mapping`` is for all; each takes what it
    has inputs for. ``name`` is that of the run of a single evaluator, ``properties`` is what
    the record of every run says besides. Raises UserError as ``execute_run`` does.
    """
    source = data if data is not None else (data_source(base.data) if base.data else None)
    if source is None:
        raise UserError(f"Run {base.name!r} has no data file.", hint="Give --data FILE.")
    _require_used(evaluators, mapping)
    runs: dict[str, RunRecord] = {}
    for each in evaluators:
        if parts.budget.is_over:
            break
        named = mapping if len(evaluators) == 1 else each.mapping(mapping)
        runs[each.name] = await evaluate(
            base,
            each.subject.flow,
            source,
            each.subject.mapping(named),
            parts,
            name=name or new_evaluation_name(base, each.name),
            options=options,
            properties={**each.subject.properties, **(properties or {})},
        )
    return runs


def _require_used(evaluators: Sequence[NamedEvaluator], mapping: Mapping[str, Any]) -> None:
    """Raise UserError when several evaluators are given and none of them has an input of that name."""
    known = [each.subject.flow.inputs for each in evaluators]
    if len(evaluators) < 2 or not all(known):
        return
    for name in mapping:
        if not any(name in inputs for inputs in known):
            raise UserError(f"No evaluator has an input {name!r}.", hint="See: flowyard evaluator show TYPE")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
