"""The calls of MLflow's tracking API that publishing makes. Each may be made twice without harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from flowyard.errors import NotFound, UserError
from flowyard.registry.stores.mlflow_artifacts import open_artifacts
from flowyard.registry.stores.mlflow_models import Models, Run, tags_of
from flowyard.registry.stores.mlflow_rest import MlflowRest, Refused, Sent
from flowyard.tracking.form import RUN

__all__ = ["MlflowRuns", "TracesUnknown"]

_T = TypeVar("_T")

_NO_TRACES = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "404", "405", "501")
_MOST_METRICS, _MOST_OTHERS = 500, 100
_MOST_KEY = 240


class TracesUnknown(UserError):
    """This server takes no traces: it is too old, or keeps its runs in files."""


class MlflowRuns:
    """Runs of one experiment of MLflow, which is made when it is missing."""

    def __init__(self, rest: MlflowRest, experiment_name: str) -> None:
        self._rest = rest
        self._models = Models(rest)
        self.experiment = self._models.experiment(experiment_name)
        self.label = rest.label

    def find(self, name: str) -> tuple[Run, Mapping[str, str]] | None:
        """The run that was published under that name, the oldest if there are several, and its tags."""
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        body = {"experiment_ids": [self.experiment], "filter": f"tags.`{RUN}` = '{quoted}'", "max_results": 100}
        found = self._rest.post("runs/search", body).get("runs", ())
        mine = [each for each in found if tags_of(each["data"]).get(RUN) == name]
        if not mine:
            return None
        oldest = min(mine, key=lambda each: (int(each["info"].get("start_time", 0)), each["info"]["run_id"]))
        return Run(str(oldest["info"]["run_id"]), str(oldest["info"]["artifact_uri"])), tags_of(oldest["data"])

    def create(self, name: str, tags: Mapping[str, str], start_ms: int) -> Run:
        return self._models.create_run(self.experiment, name, tags, start_ms)

    def end(self, run: Run, end_ms: int, status: str) -> None:
        self._models.end_run(run, end_ms, status)

    def log(
        self,
        run: Run,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        time_ms: int,
    ) -> None:
        """Store parameters, metrics (all at one time and step 0, so that the same are stored once) and tags."""
        for few in _parts(list(parameters.items()), _MOST_OTHERS):
            self._batch(run, params=[{"key": name, "value": value} for name, value in few])
        for some in _parts(list(metrics.items()), _MOST_METRICS):
            at = {"timestamp": time_ms, "step": 0}
            self._batch(run, metrics=[{"key": name, "value": value, **at} for name, value in some])
        for few in _parts(list(tags.items()), _MOST_OTHERS):
            self._batch(run, tags=[{"key": name, "value": value} for name, value in few])

    def log_dataset(self, run: Run, dataset: Mapping[str, Any]) -> None:
        """Say what data a run read."""
        entry = {"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "evaluation"}]}
        self._rest.post("runs/log-inputs", {"run_id": run.id, "datasets": [entry]})

    def link_version(self, name: str, number: int, run_name: str, run_id: str, prefix: str) -> None:
        """Name the run in a tag of a version of a flow. Raises NotFound when this server's registry has none such."""
        models = Models(self._rest, prefix)
        for entry in models.entries("flow", name):
            if entry.number == number:
                models.set_tag("flow", name, f"{RUN}.{run_name}"[:_MOST_KEY], run_id, entry.model_version)
                return
        hint = f"Register the flow there: FLOWYARD_REGISTRY=mlflow+… flowyard registry register PATH --name {name}"
        raise NotFound(f"{self.label} has no flow {name}:{number}.", hint=hint)

    def put_file(self, run: Run, name: str, path: Path) -> None:
        """Store a file among the artifacts of a run."""
        sent = Sent(lambda: path.open("rb"), path.stat().st_size)
        open_artifacts(self._rest, run.artifact_uri).put(name, sent)

    def put_spans(self, run: Run, body: Mapping[str, Any]) -> None:
        """Store the spans of some lines beside a run. Raises TracesUnknown."""
        try:
            self._rest.post_spans(body, self.experiment, run.id)
        except Refused as error:
            if error.code not in _NO_TRACES:
                raise
            raise TracesUnknown(f"{self.label} takes no traces.", hint="MLflow 3.6 with a database does.") from None

    def _batch(self, run: Run, **values: Sequence[Any]) -> None:
        self._rest.post("runs/log-batch", {"run_id": run.id, **values})


def _parts(values: Sequence[_T], most: int) -> Iterator[list[_T]]:
    left = iter(values)
    while part := list(islice(left, most)):
        yield part
