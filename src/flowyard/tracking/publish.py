"""Publishing: the same records and lines always come to the same runs, metrics, files and traces in MLflow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.lock import locked
from flowyard.errors import UserError
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.registry.stores.mlflow import open_rest, registry_prefix
from flowyard.registry.stores.mlflow_models import Run
from flowyard.registry.stores.mlflow_rest import MlflowRest
from flowyard.runs.results import read_lines
from flowyard.tracking.form import (
    RUN,
    dataset_of,
    experiment_parameters,
    experiment_tags,
    metrics_of,
    parameters_of,
    run_metrics,
    run_tags,
    state_of,
    time_ms,
)
from flowyard.tracking.mlflow_runs import MlflowRuns, TracesUnknown
from flowyard.tracking.origin import origin_tags
from flowyard.tracking.spans import spans_of, spans_request

__all__ = ["OnLines", "Published", "Publisher", "check_url", "open_publisher"]

OnLines = Callable[[RunRecord, int], None]
"""Hears that so many more lines of a run are published."""

_DONE = "flowyard.published"
_FORM = "1"
"""Goes into what was published: another number publishes everything anew."""

_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"
_LOCK = "publish.lock"
_MOST_EXPERIMENT, _MOST_LABEL = 250, 240
_MOST_LINES, _MOST_BYTES = 50, 4 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """What a run or an execution became. ``is_new`` says that anything was sent; ``warnings`` are for a person."""

    name: str
    run_id: str
    experiment_id: str
    is_new: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is sent of a run besides its files and lines."""

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    started_ms: int
    ended_ms: int
    state: str
    files: Mapping[str, Path]
    flow: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run belongs: the run above it, what it is called there, and the metrics of its evaluations by name."""

    parent: str | None = None
    label: str | None = None
    judged: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    version: tuple[str, int] | None = None


class Publisher:
    """Publishes into one experiment of MLflow, one run after another. Raises OutsideError; all can be repeated.

    What is there already is found by its tag and left as it is, unless the record or the lines are others now. A run is
    published by one process of a machine at a time.
    """

    def __init__(
        self, rest: MlflowRest, experiment_name: str, *, prefix: str = "", on_lines: OnLines = lambda _, __: None
    ) -> None:
        self._runs = MlflowRuns(rest, experiment_name)
        self._prefix = prefix
        self._on_lines = on_lines

    def publish_runs(self, runs: Sequence[RunRecord], version: tuple[str, int] | None = None) -> list[Published]:
        """Runs, each evaluation below what it evaluates if that is published too.

        ``version`` is the name and number of the registered flow that they ran. Raises NotFound when it is not there,
        UserError for a run that has not ended.
        """
        for run in runs:
            if run.status == "running":
                raise UserError(f"Run {run.name!r} has not ended.", hint="Publish it when it has.")
        listed = sorted(runs, key=lambda run: run.role == "evaluation")
        found = [self._run(run, _Place(parent=self._published(run.base_run), version=version)) for run in listed]
        if version is not None:
            for each in found:
                self._runs.link_version(*version, each.name, each.run_id, self._prefix)
        return found

    def publish_experiment(self, experiment: ExperimentRecord, files: Sequence[Path]) -> list[Published]:
        """An execution with its reports; below it its runs with the metrics of their evaluations, and these."""
        whole = self._experiment(experiment, files)
        runs = {run.name: run for run in experiment.runs if run.status != "running"}
        found = [whole]
        for run in runs.values():
            if run.name not in experiment.evaluations:
                judged = {
                    evaluator: runs[name].metrics
                    for name, (evaluator, evaluated) in experiment.evaluations.items()
                    if evaluated == run.name and name in runs
                }
                found.append(self._run(run, _Place(whole.run_id, experiment.labels.get(run.name), judged)))
        places = {each.name: each.run_id for each in found}
        for name, (evaluator, evaluated) in experiment.evaluations.items():
            if name in runs:
                label = f"{evaluator}: {experiment.labels.get(evaluated, evaluated)}"
                found.append(self._run(runs[name], _Place(places.get(evaluated, whole.run_id), label)))
        return found

    def _published(self, name: str | None) -> str | None:
        known = self._runs.find(name) if name else None
        return known[0].id if known else None

    def _experiment(self, experiment: ExperimentRecord, files: Sequence[Path]) -> Published:
        facts = _experiment_facts(experiment, files)
        with locked(experiment.path / _LOCK):
            return self._send(facts, _digest(facts), lambda _: ())

    def _run(self, run: RunRecord, place: _Place) -> Published:
        facts = _run_facts(run, place)
        with locked(run.path / _LOCK):
            size = run.lines_path.stat().st_size if run.lines_path.exists() else 0
            return self._send(facts, _digest(facts, run.status, size), lambda target: self._details(run, target))

    def _send(self, facts: _Facts, digest: str, details: Callable[[Run], Sequence[str]]) -> Published:
        """Send what is not there yet. The mark that all of it is there comes last."""
        known = self._runs.find(facts.name)
        if known is not None and known[1].get(_DONE) == digest:
            return Published(facts.name, known[0].id, self._runs.experiment, is_new=False)
        tags = facts.tags if known or not facts.flow else {**facts.tags, **origin_tags(facts.flow)}
        run = known[0] if known else self._runs.create(facts.tags[_NAME], tags, facts.started_ms)
        self._runs.log(run, facts.parameters, facts.metrics, facts.tags, facts.ended_ms)
        for name, path in facts.files.items():
            self._runs.put_file(run, name, path)
        warnings = details(run)
        self._runs.end(run, facts.ended_ms, facts.state)
        self._runs.log(run, {}, {}, {_DONE: digest}, facts.ended_ms)
        return Published(facts.name, run.id, self._runs.experiment, is_new=True, warnings=tuple(warnings))

    def _details(self, run: RunRecord, target: Run) -> Sequence[str]:
        """The data that the run read, and a trace of each line; what could not be sent for good, for a person."""
        dataset = dataset_of(run)
        if dataset is not None:
            self._runs.log_dataset(target, dataset)
        try:
            for count, spans in _batches(run):
                self._runs.put_spans(target, spans_request(spans))
                self._on_lines(run, count)
        except TracesUnknown as error:
            return [f"No trace of a line was published: {error.message} {error.hint}"]
        return []


def open_publisher(
    url: str, environ: Mapping[str, str], experiment_name: str, on_lines: OnLines = lambda _, __: None
) -> Publisher:
    """A publisher to ``mlflow+http://HOST`` or ``mlflow+https://HOST/PATH``. Raises UserError and OutsideError."""
    rest = check_url(url, environ)
    if not experiment_name or len(experiment_name) > _MOST_EXPERIMENT:
        raise UserError(f"The experiment's name in MLflow has 1 to {_MOST_EXPERIMENT} characters.")
    return Publisher(rest, experiment_name, prefix=registry_prefix(url), on_lines=on_lines)


def check_url(url: str, environ: Mapping[str, str]) -> MlflowRest:
    """The API at an address; asks nothing. Raises UserError for an address or a login that cannot be."""
    if not url.startswith("mlflow+"):
        raise UserError("The address to publish to is none that flowyard knows.", hint="Write mlflow+https://HOST.")
    registry_prefix(url)
    return open_rest(url, environ)


def _experiment_facts(experiment: ExperimentRecord, files: Sequence[Path]) -> _Facts:
    started = time_ms(experiment.created_at)
    tags = experiment_tags(experiment)
    return _Facts(
        name=tags[RUN],
        parameters=experiment_parameters(experiment),
        metrics={"experiment.duration_s": experiment.duration_s, "experiment.runs": float(len(experiment.runs))},
        tags=tags,
        started_ms=started,
        ended_ms=started + int(experiment.duration_s * 1000),
        state="FINISHED",
        files={f"report/{path.relative_to(experiment.path).as_posix()}": path for path in files},
    )


def _run_facts(run: RunRecord, place: _Place) -> _Facts:
    started = time_ms(run.created_at)
    tags = run_tags(run)
    if place.parent:
        tags[_PARENT] = place.parent
    if place.label and not run.display_name:
        tags[_NAME] = place.label[:_MOST_LABEL]
    if place.version:
        tags["flowyard.version"] = "{}:{}".format(*place.version)
    metrics = metrics_of(run.metrics)
    for evaluator, found in place.judged.items():
        metrics |= metrics_of(found, f"{evaluator}.")
    files = {"outputs.jsonl": run.outputs_path, "run.json": run.path / "run.json"}
    return _Facts(
        name=run.name,
        parameters=parameters_of(run),
        metrics=metrics | run_metrics(run),
        tags=tags,
        started_ms=started,
        ended_ms=time_ms(run.ended_at) or started + int(run.duration_s * 1000),
        state=state_of(run),
        files={name: path for name, path in files.items() if path.is_file()},
        flow=run.flow,
    )


def _digest(facts: _Facts, *more: object) -> str:
    """What was published, in short: the same again has the same."""
    sizes = {name: path.stat().st_size for name, path in facts.files.items() if name == "outputs.jsonl"}
    whole = [_FORM, facts.parameters, facts.metrics, facts.tags, facts.ended_ms, sorted(facts.files), sizes, *more]
    return hashlib.sha256(dump_json(whole).encode()).hexdigest()


def _batches(run: RunRecord) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The spans of the lines, some lines at a time, and how many lines they are."""
    name = Path(run.flow).stem
    spans: list[dict[str, Any]] = []
    lines = size = 0
    for line in read_lines(run):
        new = spans_of(run, line, name)
        spans += new
        lines += 1
        size += len(dump_json(new))
        if lines == _MOST_LINES or size > _MOST_BYTES:
            yield lines, spans
            spans, lines, size = [], 0, 0
    if spans:
        yield lines, spans
