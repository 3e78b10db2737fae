"""A judge beside labels of people: the run in which it judged, its agreement, and the lines where both differ most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.decisions.agreement import Agreement, agreement_of
from flowyard.decisions.label_values import label_numbers
from flowyard.decisions.model import Metric
from flowyard.errors import NotFound, UserError
from flowyard.evaluation.builtin.catalogue import find_builtin
from flowyard.evaluation.builtin.entry import BuiltinEvaluator, EvaluatorOutput
from flowyard.evaluation.judges.scale import parse_scale
from flowyard.records import LineResult, RunRecord
from flowyard.runs.results import read_lines

__all__ = ["JudgeCheck", "JudgeDifference", "JudgeScore", "check_judge", "judge_score"]


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """The score of a judge that is checked. ``numbers`` are those of its labels."""

    judge: BuiltinEvaluator
    metric: Metric
    numbers: Mapping[Any, float]

    def reason_of(self, outputs: Mapping[str, Any]) -> str:
        """The judge's reason for the score among its outputs."""
        return str(outputs.get(f"{self.metric.name}_reason") or outputs.get("reason") or "")


@dataclass(frozen=True, slots=True)
class JudgeDifference:
    """A line to which people and the judge give different grades."""

    line_number: int
    people: float
    judge: float
    reason: str


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """What came out. The means are over the lines that both graded, NaN without any.

    ``differences`` are ordered by how far the grades are apart, then by line. ``failed_lines`` have a label, but
    judging them failed; the judge's ``ungraded`` lines are in the agreement.
    """

    run: RunRecord
    agreement: Agreement
    people_mean: float
    judge_mean: float
    differences: tuple[JudgeDifference, ...]
    labelled_lines: int
    failed_lines: int


def judge_score(kind: str, options: Mapping[str, Any], score: str | None = None) -> JudgeScore:
    """The score of a judge of this ``type``. Raises NotFound for what is no judge, UserError for no such score."""
    judge = find_builtin(kind)
    if not judge.model_calls or not any(each.name == "votes" for each in judge.options):
        raise NotFound(f"{kind!r} is no judge: it asks no model for a grade.", hint="See: flowyard evaluator list")
    scores = [each for each in judge.outputs if each.kind != "text"]
    names = [each.name for each in scores]
    if score is None and kind == "qa":
        raise UserError("A qa judge has several scores.", hint=f"Add --score with one of: {known_names(names)}.")
    if score is not None and score not in names:
        hint = did_you_mean(score, names) or f"There are: {known_names(names)}."
        raise UserError(f"The judge {kind!r} has no score {score!r}.", hint=hint)
    output = next(each for each in scores if score in (None, each.name))
    low, high, numbers = _bounds(output, kind, options)
    is_binary = (low, high) == (0.0, 1.0) and len(numbers) == 2
    metric = Metric(output.name, "binary" if is_binary else "score", True, kind, low, high, output.meaning)
    return JudgeScore(judge, metric, numbers)


def _bounds(
    output: EvaluatorOutput, kind: str, options: Mapping[str, Any]
) -> tuple[float | None, float | None, Mapping[Any, float]]:
    if kind == "rubric":
        scale = parse_scale(options.get("scale"), options.get("labels"))
        return scale.low, scale.high, scale.numbers
    if output.name == "pairwise":
        return 0.0, 1.0, {"reference": 0.0, "tie": 0.5, "answer": 1.0}
    return output.low, output.high, {}


def check_judge(run: RunRecord, score: JudgeScore, values: Mapping[int, Any], column: str) -> JudgeCheck:
    """Compare what a judge gave in a run with the ``column`` of people's labels, ``values`` by line number.

    Raises UserError when there is no label, or one that is no grade.
    """
    labels = label_numbers(values, numbers=score.numbers, column=column)
    if not labels:
        raise UserError(f"The column {column!r} has no label.", hint="A label is a grade that a person gave.")
    lines = {line.line_number: line for line in read_lines(run) if line.line_number in labels}
    judged = {number: _grade(lines.get(number), score.metric.name) for number in labels}
    data = run.dataset or "the data"
    found = agreement_of(score.metric, list(labels.values()), list(judged.values()), dataset=data)
    both = [number for number, grade in judged.items() if not math.isnan(grade)]
    apart = sorted(both, key=lambda number: (-abs(labels[number] - judged[number]), number))
    return JudgeCheck(
        run,
        found,
        fmean(labels[number] for number in both) if both else math.nan,
        fmean(judged[number] for number in both) if both else math.nan,
        tuple(
            JudgeDifference(number, labels[number], judged[number], score.reason_of(lines[number].outputs))
            for number in apart
            if labels[number] != judged[number]
        ),
        len(labels),
        sum(number not in lines or lines[number].error is not None for number in labels),
    )


def _grade(line: LineResult | None, name: str) -> float:
    value = line.outputs.get(name) if line is not None else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
