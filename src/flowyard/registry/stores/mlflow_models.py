"""Registered models, their versions and their tags, as MLflow's REST API has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard.errors import Conflict, StoreError
from flowyard.registry.model import Kind
from flowyard.registry.stores.mlflow_rest import MISSING, TAKEN, MlflowRest, Refused

__all__ = ["DIGEST", "KIND", "NUMBER", "PLACE", "Entry", "Models", "Run", "tags_of"]

KIND = "flowyard.kind"
DIGEST = "flowyard.digest"
NUMBER = "flowyard.version"
PLACE = "flowyard.place"

_PREFIX_TAG = "flowyard.prefix"

_EXPERIMENT = "flowyard registry"
_DATASETS = "dataset."
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """A run of MLflow, which artifacts belong to."""

    id: str
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A version as MLflow lists it. ``number`` is ours, ``model_version`` is MLflow's."""

    number: int
    model_version: str
    digest: str
    run_id: str
    tags: Mapping[str, str]


class Models:
    """The calls that a store makes, all of which may be made twice.

    The names of all its models begin with ``prefix``, which keeps several registries on one server apart.
    """

    def __init__(self, rest: MlflowRest, prefix: str = "") -> None:
        self._rest = rest
        self._prefix = prefix

    def model_name(self, kind: Kind, name: str) -> str:
        """The registered model of a name: flows have their own, a dataset ``x`` is ``dataset.x``."""
        return self._prefix + (name if kind == "flow" else _DATASETS + name)

    def names(self, kind: Kind) -> list[str]:
        """Registered models of that kind that have a version, by our names, sorted."""
        found = []
        for model in self._pages("registered-models/search", "registered_models", {}):
            name, tags, start = str(model.get("name", "")), tags_of(model), self.model_name(kind, "")
            mine = tags.get(KIND) == kind and tags.get(_PREFIX_TAG, "") == self._prefix and name.startswith(start)
            if mine and model.get("latest_versions"):
                found.append(name.removeprefix(start))
        return sorted(found)

    def tags(self, kind: Kind, name: str) -> dict[str, str]:
        """The tags of a registered model; empty when there is none."""
        try:
            answer = self._rest.get("registered-models/get", name=self.model_name(kind, name))
        except Refused as error:
            if error.code == MISSING:
                return {}
            raise
        return tags_of(answer.get("registered_model", {}))

    def require(self, kind: Kind, name: str) -> None:
        """Make the registered model unless it is there. Raises Conflict when it is not flowyard's, or of another kind.

        MLflow gives a name once, so that of many who make it one does and the others find it.
        """
        model = self.model_name(kind, name)
        tags = {KIND: kind, **({_PREFIX_TAG: self._prefix} if self._prefix else {})}
        body = {"name": model, "tags": _tag_list(tags), "description": f"A {kind} that flowyard registered."}
        try:
            self._rest.post("registered-models/create", body)
        except Refused as error:
            if error.code != TAKEN:
                raise
            if self.tags(kind, name).get(KIND) != kind:
                hint = f"Register under another name, or set the model's tag {KIND}={kind}."
                raise Conflict(f"MLflow has a model {model!r} that is no {kind} of flowyard.", hint=hint) from None

    def entries(self, kind: Kind, name: str) -> list[Entry]:
        """The versions of a name, oldest first; of several with one digest, the first.

        MLflow never uses a number twice and gives each when it stores the version, so that whoever reads sees the same
        first ones, and numbers ours without gaps. A version keeps the number it was told in its tag also when somebody
        deletes another one in MLflow.
        """
        found: dict[str, Entry] = {}
        last = 0
        for each in self._listed(kind, name):
            tags = tags_of(each)
            digest = tags.get(DIGEST, "")
            if tags.get(KIND) != kind or not digest or digest in found:
                continue
            told = tags.get(NUMBER, "")
            last = int(told) if told.isdecimal() and int(told) > last else last + 1
            found[digest] = Entry(last, str(each["version"]), digest, str(each.get("run_id") or ""), tags)
        return list(found.values())

    def create_version(
        self, kind: Kind, name: str, run: Run, source: str, tags: Mapping[str, str], description: str
    ) -> None:
        """Store a version. When an answer is lost it may be there twice, of which :meth:`entries` counts one."""
        body = {"name": self.model_name(kind, name), "source": source, "run_id": run.id, "tags": _tag_list(tags)}
        self._rest.post("model-versions/create", {**body, "description": description})

    def delete_versions_of(self, kind: Kind, name: str, run: Run, keep: str | None = None) -> None:
        """Take away what was stored for a run, apart from the version ``keep``."""
        for each in self._listed(kind, name):
            version = str(each["version"])
            if each.get("run_id") == run.id and version != keep:
                body = {"name": self.model_name(kind, name), "version": version}
                self._gone_is_fine("model-versions/delete", body, method="DELETE")

    def set_tag(self, kind: Kind, name: str, key: str, value: str, version: str | None = None) -> None:
        """Set a tag of a registered model, or of a version of it."""
        body = {"name": self.model_name(kind, name), "key": key, "value": value}
        if version is None:
            self._rest.post("registered-models/set-tag", body)
        else:
            self._rest.post("model-versions/set-tag", {**body, "version": version})

    def set_alias(self, kind: Kind, name: str, alias: str, version: str | None) -> None:
        """Point MLflow's own alias at a version, or take it away."""
        body = {"name": self.model_name(kind, name), "alias": alias}
        if version is None:
            self._gone_is_fine("registered-models/alias", body, method="DELETE")
        else:
            self._rest.post("registered-models/alias", {**body, "version": version})

    def experiment(self, name: str = _EXPERIMENT) -> str:
        """The id of an experiment, made unless it is there. Raises OutsideError when it was deleted."""
        try:
            found = self._rest.get("experiments/get-by-name", experiment_name=name)["experiment"]
        except Refused as error:
            if error.code != MISSING:
                raise
            try:
                return str(self._rest.post("experiments/create", {"name": name})["experiment_id"])
            except Refused as other:
                if other.code != TAKEN:
                    raise
                found = self._rest.get("experiments/get-by-name", experiment_name=name)["experiment"]
        if found.get("lifecycle_stage") == "deleted":
            hint = "Restore it there, or delete it for good."
            raise Refused(f"The experiment {name!r} was deleted in MLflow.", code="DELETED", hint=hint)
        return str(found["experiment_id"])

    def create_run(self, experiment: str, name: str, tags: Mapping[str, str], start_ms: int) -> Run:
        """A new run."""
        body = {"experiment_id": experiment, "run_name": name, "start_time": start_ms, "tags": _tag_list(tags)}
        return _run(self._rest.post("runs/create", body))

    def get_run(self, run_id: str) -> Run:
        """A run that is there. Raises StoreError when it is not."""
        try:
            return _run(self._rest.get("runs/get", run_id=run_id))
        except Refused as error:
            if error.code != MISSING:
                raise
            raise StoreError(f"The run {run_id!r} of a version is missing in MLflow.", hint="Restore it.") from None

    def end_run(self, run: Run, end_ms: int, status: str = "FINISHED") -> None:
        """Mark a run as ended."""
        self._rest.post("runs/update", {"run_id": run.id, "status": status, "end_time": end_ms})

    def delete_run(self, run: Run) -> None:
        """Mark a run as deleted; ``mlflow gc`` takes its artifacts away."""
        self._gone_is_fine("runs/delete", {"run_id": run.id})

    def _listed(self, kind: Kind, name: str) -> Sequence[Mapping[str, Any]]:
        query = {"filter": f"name='{self.model_name(kind, name)}'"}
        found = list(self._pages("model-versions/search", "model_versions", query))
        return sorted(found, key=lambda each: int(each["version"]))

    def _pages(self, path: str, key: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        while True:
            answer = self._rest.get(path, **query, max_results=_PAGE, **({"page_token": token} if token else {}))
            yield from answer.get(key, ())
            token = answer.get("next_page_token")
            if not token:
                return

    def _gone_is_fine(self, path: str, body: Mapping[str, Any], *, method: str = "POST") -> None:
        try:
            self._rest.post(path, body, method=method)
        except Refused as error:
            if error.code != MISSING:
                raise


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags of anything that has some."""
    return {str(tag.get("key", "")): str(tag.get("value", "")) for tag in thing.get("tags", ())}


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _run(answer: Mapping[str, Any]) -> Run:
    info = answer["run"]["info"]
    return Run(str(info["run_id"]), str(info["artifact_uri"]))
