"""``evaluate``: evaluators over a data file, or over what a target makes of it, from Python."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard._util.files import dump_json, write_atomic
from flowyard.client.ambient import app
from flowyard.client.exceptions import EvaluationArgumentError
from flowyard.client.subject import Subject, flow_of
from flowyard.client.translate import speaking_promptflow
from flowyard.errors import UserError
from flowyard.evaluation import DataEvaluation, evaluate_data
from flowyard.records import RunRecord
from flowyard.runs.dataset import absolute_source
from flowyard.sessions.session import FinishedLine

__all__ = ["evaluate"]

_RESULTS = "evaluation_results.json"
_log = logging.getLogger("flowyard")


def evaluate(
    *,
    data: str | PathLike[str] | None = None,
    evaluators: Mapping[str, Subject] | None = None,
    target: Subject | None = None,
    evaluator_config: Mapping[str, Mapping[str, Any]] | None = None,
    evaluation_name: str | None = None,
    azure_ai_project: Mapping[str, Any] | None = None,
    output_path: str | PathLike[str] | None = None,
    **_ignored: Any,
) -> dict[str, Any]:
    """Run evaluators over every row and return ``{"rows": […], "metrics": {…}, "studio_url": None}``.

    Evaluators and the target may be functions, also asynchronous ones, objects with ``__call__``, prompties and flows.
    ``evaluator_config`` maps inputs of each evaluator, or of all under ``default``, to ``${data.x}`` and
    ``${target.y}``. The result is also written to ``output_path``, a file or a folder. Rows that fail have NaN and are
    left out of means; warnings count them. Raises EvaluationArgumentError, a ValueError, for what cannot be run.
    """
    with speaking_promptflow(UserError=EvaluationArgumentError, MappingError=EvaluationArgumentError):
        _refuse_project(azure_ai_project)
        file = _results_file(output_path)
        request = _request(data, evaluators, target, evaluator_config, evaluation_name)
        found = run_blocking(evaluate_data(request, app().parts(_Quiet())))
        for warning in found.warnings:
            _log.warning("%s", warning)
        result = {"rows": found.rows, "metrics": found.metrics, "studio_url": None}
        if file is not None:
            write_atomic(file, dump_json(result))
    return result


class _Quiet:
    """The runs of an evaluation show nothing: its table says it all."""

    def start(self, run: RunRecord, total: int) -> None:
        """Nothing is shown."""

    def line(self, line: FinishedLine) -> None:
        """Nothing is shown."""

    def end(self, run: RunRecord) -> None:
        """Nothing is shown."""


def _refuse_project(project: Mapping[str, Any] | None) -> None:
    if project is not None:
        raise UserError(
            "azure_ai_project: results are not sent to Azure AI.",
            hint="Leave it out; the result is returned, written to output_path, and kept as runs (flowyard run list).",
        )


def _results_file(output_path: str | PathLike[str] | None) -> Path | None:
    if output_path is None:
        return None
    path = Path(output_path).expanduser().absolute()
    file = path / _RESULTS if path.is_dir() else path
    if not file.parent.is_dir():
        raise UserError(f"output_path: there is no folder {file.parent}.", hint="Make it, or name a folder there is.")
    return file


def _request(
    data: str | PathLike[str] | None,
    evaluators: Mapping[str, Subject] | None,
    target: Subject | None,
    config: Mapping[str, Mapping[str, Any]] | None,
    name: str | None,
) -> DataEvaluation:
    if not isinstance(data, (str, PathLike)):
        raise UserError("data must be the path of a data file.", hint="evaluate(data='rows.jsonl', evaluators={…})")
    if not isinstance(evaluators, Mapping) or not evaluators:
        raise UserError("evaluators must be a dict of at least one evaluator by its alias.")
    if not isinstance(config or {}, Mapping) or not all(isinstance(each, Mapping) for each in (config or {}).values()):
        raise UserError("evaluator_config must be a dict of column mappings by alias.")
    return DataEvaluation(
        data=absolute_source(os.fspath(data)),
        evaluators={alias: flow_of(evaluator, {}) for alias, evaluator in evaluators.items()},
        target=None if target is None else flow_of(target, {}),
        mappings=config or {},
        name=name,
    )
