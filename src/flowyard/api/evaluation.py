"""``flowyard.evaluate``: evaluators over data, over what a target makes of it, or over a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from flowyard._util.aio import run_blocking
from flowyard.api.frames import Frame, frame_of
from flowyard.api.given_data import GivenData, source_of
from flowyard.api.running import Running, RunningOptions
from flowyard.api.runs import Run
from flowyard.api.selection import selected_flow
from flowyard.api.text import table_html, table_text
from flowyard.client.subject import Subject
from flowyard.errors import UserError
from flowyard.evaluation import DataEvaluation, EvaluationTable, evaluate_data
from flowyard.evaluation.subjects import EvaluatorSource, find_subject
from flowyard.flows.model import Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource, absolute_source

__all__ = ["Evaluation", "evaluate"]

_TYPE = re.compile(r"[a-z][a-z0-9_]*")


class Evaluation:
    """What evaluators found. Missing values of ``rows`` are NaN, and left out of means; ``warnings`` count them."""

    def __init__(self, table: EvaluationTable) -> None:
        self.rows = table.rows
        self.metrics = table.metrics
        self.warnings = table.warnings

    def details(self, frame: Frame | None = None) -> Any:
        """One row for each row of the data, as a ``DataFrame`` of pandas or polars.

        The columns are ``inputs.x``, ``outputs.y`` of a target and ``outputs.EVALUATOR.SCORE``. Raises ExtraMissing
        when the library is not installed.
        """
        rows = [{name: None if _is_missing(value) else value for name, value in row.items()} for row in self.rows]
        return frame_of(rows, frame=frame)

    def _metric_rows(self) -> list[tuple[str, Any]]:
        return sorted(self.metrics.items())

    def __repr__(self) -> str:
        warnings = "".join(f"\n! {warning}" for warning in self.warnings)
        table = table_text(("metric", "value"), self._metric_rows())
        return f"Evaluation of {len(self.rows):,} rows\n{table}{warnings}"

    def _repr_html_(self) -> str:
        shown = table_html(("metric", "value"), self._metric_rows(), f"Evaluation of {len(self.rows):,} rows")
        return shown + table_html(("warning",), [(warning,) for warning in self.warnings]) if self.warnings else shown


def evaluate(
    run_or_data: Run | GivenData,
    evaluators: Mapping[str, Subject],
    *,
    mappings: Mapping[str, Mapping[str, Any]] | None = None,
    target: Subject | None = None,
    name: str | None = None,
    **running: Unpack[RunningOptions],
) -> Evaluation:
    """Run evaluators, each under an alias, over every row of the data, or over every line of a run.

    An evaluator is the name of one that comes with flowyard (``exact_match``; ``{"type": …, "options": {…}}`` where it
    takes options), a function of the columns it names, also an asynchronous one, an object with ``__call__``, a prompty
    or a flow. ``target`` is called first and its outputs are evaluated. ``mappings`` says by alias, or under
    ``default``, which column feeds which input: ``${data.x}``, ``${target.y}``; the outputs of a run are ``target``,
    too. Rows that failed stay in the table without values. Raises UserError for what cannot be run.
    """
    how = Running(**running)
    app = how.open(Path())
    flows = {alias: _evaluator(evaluator) for alias, evaluator in _required(evaluators).items()}
    data, made = _data_and_target(run_or_data, target, app.settings.home)
    request = DataEvaluation(
        data=data, evaluators=flows, target=made, mappings=mappings or {}, name=name, options=how.options
    )
    return Evaluation(run_blocking(evaluate_data(request, how.parts(app))))


def _evaluator(evaluator: Subject) -> Flow:
    """The flow that judges. Raises UserError, FlowInvalid."""
    if isinstance(evaluator, str) and _TYPE.fullmatch(evaluator) and not Path(evaluator).exists():
        return find_subject(EvaluatorSource(type=evaluator)).flow
    if isinstance(evaluator, Mapping):
        known = {"type", "python", "options"}
        if not set(evaluator) <= known or not isinstance(evaluator.get("options", {}), Mapping):
            raise UserError("An evaluator as a dict has type or python, and options.", hint="{'type': 'f1_score'}")
        return find_subject(EvaluatorSource(**evaluator)).flow
    return selected_flow(evaluator)


def _data_and_target(
    run_or_data: Run | GivenData, target: Subject | None, home: Path
) -> tuple[DataSource, Flow | RunRecord | None]:
    if not isinstance(run_or_data, Run):
        made = None if target is None else selected_flow(target)
        return source_of(run_or_data, home), made
    if target is not None:
        raise UserError("The outputs of a run are evaluated as they are: leave out target.")
    record = run_or_data.record
    if not record.data:
        raise UserError(f"Run {record.name!r} did not run over data.", hint="Evaluate the run that it reads.")
    return absolute_source(record.data), record


def _required(evaluators: Any) -> Mapping[str, Subject]:
    if not isinstance(evaluators, Mapping) or not evaluators:
        raise UserError("evaluators must be a dict of at least one evaluator by its alias.")
    return evaluators


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
