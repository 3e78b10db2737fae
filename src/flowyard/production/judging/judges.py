"""The evaluators of an experiment as judges of production: what they read, and which version they are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import NotFound, UserError
from flowyard.evaluation.subjects import EvaluatorSubject
from flowyard.evaluation.whole_run import judges_whole_runs
from flowyard.experiments.evaluator_flow import evaluator_subject
from flowyard.experiments.model import Evaluator, EvaluatorDataset, Experiment
from flowyard.production.exchanges.lines import JoinedExchange
from flowyard.production.judging.material import judged_outputs, row_of
from flowyard.production.store.rows import column_text
from flowyard.runs.versions import flow_digest

__all__ = ["LiveJudge", "find_judges"]

_REFERENCE = re.compile(r"\$\{(data|run\.inputs|run\.outputs)\.([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """One evaluator. ``digest`` is its version: its code, its options, and its mapping.

    ``mapping`` is the column mapping of its runs, ``columns`` and ``outputs`` are what it reads, and ``renamed`` says
    which input of the flow stands in a column of the experiment's data.
    """

    name: str
    subject: EvaluatorSubject
    mapping: Mapping[str, Any]
    digest: str
    columns: frozenset[str]
    outputs: frozenset[str]
    renamed: Mapping[str, str]

    def fits(self, each: JoinedExchange) -> bool:
        """Whether the exchange has an answer and all that the evaluator reads."""
        outputs = judged_outputs(each)
        return outputs is not None and self.outputs <= outputs.keys() and self.columns <= row_of(each, self).keys()

    @property
    def reads(self) -> str:
        """What it reads, for a person."""
        return ", ".join([*sorted(f"${{data.{each}}}" for each in self.columns), *sorted(self.outputs)])


def find_judges(experiment: Experiment, names: Sequence[str] = ()) -> tuple[tuple[LiveJudge, ...], tuple[str, ...]]:
    """The evaluators of those names, or all, that can judge one answer at a time; and what to warn of.

    An evaluator reads what it reads over the first of its datasets. Raises NotFound for a name that there is not,
    UserError when none is left.
    """
    known = [each.name for each in experiment.evaluators]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"Evaluators: {known_names(known)}."
            raise NotFound(f"Experiment {experiment.name!r} has no evaluator {name!r}.", hint=hint)
    wanted = [each for each in experiment.evaluators if not names or each.name in names]
    found: list[LiveJudge] = []
    warnings: list[str] = []
    for evaluator in wanted:
        subject = evaluator_subject(evaluator)
        if not evaluator.datasets:
            continue
        if judges_whole_runs(subject.flow):
            warnings.append(f"{evaluator.where}: {evaluator.name} judges whole runs, not one answer at a time.")
            continue
        found.append(_judge(experiment, evaluator, evaluator.datasets[0], subject))
    if not found:
        hint = "List one under 'evaluators' in experiment.yaml, or in the overlay that --env names."
        raise UserError(f"Experiment {experiment.name!r} has no evaluator for single answers.", hint=hint)
    return tuple(found), tuple(warnings)


def _judge(
    experiment: Experiment, evaluator: Evaluator, applied: EvaluatorDataset, subject: EvaluatorSubject
) -> LiveJudge:
    mapping = dict(applied.mappings)
    columns, outputs = set(_read(mapping, "data", "run.inputs")), set(_read(mapping, "run.outputs"))
    columns |= {name for name, each in subject.flow.inputs.items() if each.required and name not in mapping}
    dataset = next(each for each in experiment.datasets if each.name == applied.reference)
    return LiveJudge(
        column_text(evaluator.name),
        subject,
        mapping,
        _digest(subject, mapping),
        frozenset(columns),
        frozenset(outputs),
        _renamed(dataset.mappings),
    )


def _read(mapping: Mapping[str, Any], *sources: str) -> Iterator[str]:
    for value in mapping.values():
        for source, name in _REFERENCE.findall(value) if isinstance(value, str) else ():
            if source in sources:
                yield name


def _renamed(mapping: Mapping[str, Any]) -> dict[str, str]:
    """``{column of the data: input of the flow}``"""
    matches = {name: _REFERENCE.fullmatch(value) for name, value in mapping.items() if isinstance(value, str)}
    return {match[2]: name for name, match in matches.items() if match is not None and match[1] == "data"}


def _digest(subject: EvaluatorSubject, mapping: Mapping[str, Any]) -> str:
    parts = [flow_digest(subject.flow), subject.flow.name, dict(subject.options), dict(mapping)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
