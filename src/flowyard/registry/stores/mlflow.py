"""Versions in an MLflow registry, over its REST API.

    registered model     NAME for a flow, dataset.NAME for a dataset, with the tag flowyard.kind
    model version        one content: tags flowyard.digest and flowyard.version, facts, and the run of its files
    run                  artifacts files/… and flowyard/version.json, in the experiment "flowyard registry"

MLflow numbers versions by itself and can compare nothing before it writes. So all of a version is stored before the
version itself is, with its digest in the same request: what is killed before leaves a run and no version. Of two
versions with one digest the first counts for every reader, and whoever wrote the second takes it away.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from flowyard.abc import RegistryStore
from flowyard.errors import FlowyardError, NotFound, OutsideError, StoreError, UserError
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.stores.mlflow_artifacts import (
    Artifacts,
    StorageArtifacts,
    artifact_name,
    check_file,
    open_artifacts,
)
from flowyard.registry.stores.mlflow_login import open_login
from flowyard.registry.stores.mlflow_manifest import MANIFEST, manifest_of, version_of
from flowyard.registry.stores.mlflow_models import DIGEST, KIND, NUMBER, PLACE, Entry, Models, Run
from flowyard.registry.stores.mlflow_notes import new_note, read_json, read_notes, write_json
from flowyard.registry.stores.mlflow_rest import MlflowRest
from flowyard.registry.tree import TreeFile

__all__ = ["MlflowStore", "open_rest", "open_store", "registry_prefix"]

_A = TypeVar("_A")
_B = TypeVar("_B")
_N = TypeVar("_N", AliasChange, LineageFact)

_ALIASES = "flowyard.alias."
_FACTS = "flowyard.fact."
_AT_ONCE = 8
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,50}")
_ALIAS_SIGN = re.compile(r"[^A-Za-z0-9_-]")
_NO_ALIAS = re.compile(r"[vV]\d+|latest", re.IGNORECASE)


class MlflowStore(RegistryStore):
    """The registry of one MLflow server. ``files`` is a storage for artifacts that its own do not reach.

    ``prefix`` begins the names of all its registered models.
    """

    def __init__(self, rest: MlflowRest, files: str | None = None, prefix: str = "") -> None:
        self._models = Models(rest, prefix)
        self._rest = rest
        self._files = files
        self._kept: dict[tuple[str, str, str], Version] = {}
        self.label = rest.label

    def names(self, kind: Kind) -> Sequence[str]:
        return self._models.names(kind)

    def versions(self, kind: Kind, name: str) -> Sequence[Version]:
        return _all(lambda entry: self._read(kind, name, entry), self._models.entries(kind, name))

    def add(self, draft: Draft) -> Registered:
        found = self._find(draft)
        known, is_new = (found, False) if found else self._store(draft)
        if NUMBER not in known.tags:  # also for one who was killed before it could
            self._models.set_tag(draft.kind, draft.name, NUMBER, str(known.number), known.model_version)
        return Registered(self._read(draft.kind, draft.name, known), is_new)

    def fetch(self, version: Version, folder: Path) -> None:
        artifacts = self._artifacts_of(self._entry(version))

        def get(file: TreeFile) -> None:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            artifacts.get(artifact_name(file), target, file.size)
            check_file(target, file)

        _all(get, version.files)

    def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        entries = {entry.number: entry for entry in self._models.entries(kind, name)}
        target = None if change.version is None else entries.get(change.version)
        if not entries or (change.version is not None and target is None):
            raise NotFound(f"{name!r} has no version {change.version}.", hint="See: flowyard registry show " + name)
        last = target or max(entries.values(), key=lambda entry: entry.number)
        tags = self._models.tags(kind, name)
        note = new_note(_ALIASES, tags, asdict(change), last.digest, lambda: self._artifacts_of(last))
        self._models.set_tag(kind, name, note.key, note.value)
        alias = _mlflow_alias(change.alias)
        if alias is not None:
            self._models.set_alias(kind, name, alias, target.model_version if target else None)

    def alias_changes(self, kind: Kind, name: str) -> Sequence[AliasChange]:
        tags = self._models.tags(kind, name)

        def artifacts(digest: str) -> Artifacts:
            for entry in self._models.entries(kind, name):
                if entry.digest == digest:
                    return self._artifacts_of(entry)
            raise StoreError(f"A version that aliases of {name!r} speak of is missing in MLflow.", hint="Restore it.")

        return [_checked(AliasChange, value) for value in read_notes(_ALIASES, tags, artifacts)]

    def add_fact(self, version: Version, fact: LineageFact) -> None:
        entry = self._entry(version)
        note = new_note(_FACTS, entry.tags, asdict(fact), entry.digest, lambda: self._artifacts_of(entry))
        self._models.set_tag(version.kind, version.name, note.key, note.value, entry.model_version)

    def facts(self, version: Version) -> Sequence[LineageFact]:
        entry = self._entry(version)
        return [
            _checked(LineageFact, value)
            for value in read_notes(_FACTS, entry.tags, lambda _: self._artifacts_of(entry))
        ]

    def _find(self, draft: Draft) -> Entry | None:
        entries = self._models.entries(draft.kind, draft.name)
        return next((entry for entry in entries if entry.digest == draft.digest), None)

    def _store(self, draft: Draft) -> tuple[Entry, bool]:
        """Store the files, then the version; the version that counts, and whether it is this one."""
        self._models.require(draft.kind, draft.name)
        experiment = self._models.experiment()
        label = f"{draft.kind} {draft.name}"
        tags = {KIND: draft.kind, DIGEST: draft.digest, "mlflow.source.name": "flowyard"}
        run = self._models.create_run(experiment, label, tags, _now_ms())
        try:
            place = self._upload(draft, run)
            known = self._find(draft) or self._create(draft, run, place)
        except FlowyardError:
            self._models.delete_run(run)
            raise
        if known.run_id != run.id:
            self._models.delete_run(run)
            return known, False
        self._models.end_run(run, _now_ms())
        return known, True

    def _upload(self, draft: Draft, run: Run) -> str:
        """Store all files and what they are, and give where they are: with the run, or in the other storage."""
        place, artifacts = self._place(run)
        pairs = [(path, file) for path, file in zip(draft.places, draft.files, strict=True)]
        _all(lambda pair: artifacts.put_file(artifact_name(pair[1]), *pair), pairs)
        write_json(artifacts, MANIFEST, manifest_of(draft))
        return place

    def _create(self, draft: Draft, run: Run, place: str) -> Entry:
        kind, name = draft.kind, draft.name
        tags = {KIND: kind, DIGEST: draft.digest, PLACE: place, "flowyard.files": str(len(draft.files))}
        self._models.create_version(kind, name, run, f"{run.artifact_uri.rstrip('/')}/files", tags, draft.description)
        known = self._find(draft)
        if known is None:
            raise StoreError(f"{self.label} took a version of {name!r} and does not list it.", hint="Try again.")
        self._models.delete_versions_of(kind, name, run, known.model_version)
        return known

    def _entry(self, version: Version) -> Entry:
        for entry in self._models.entries(version.kind, version.name):
            if entry.digest == version.digest:
                return entry
        raise NotFound(f"{version.label} is not in {self.label}.", hint=f"See: flowyard registry show {version.name}")

    def _read(self, kind: Kind, name: str, entry: Entry) -> Version:
        key = (self._models.model_name(kind, name), entry.model_version, entry.digest)
        if key not in self._kept:
            manifest = read_json(self._artifacts_of(entry), MANIFEST)
            self._kept[key] = version_of(manifest, kind, name, entry)
        return self._kept[key]

    def _artifacts_of(self, entry: Entry) -> Artifacts:
        if entry.tags.get(PLACE) == "files":
            return self._storage(entry.run_id)
        return open_artifacts(self._rest, self._models.get_run(entry.run_id).artifact_uri)

    def _place(self, run: Run) -> tuple[str, Artifacts]:
        try:
            return "artifacts", open_artifacts(self._rest, run.artifact_uri)
        except OutsideError:
            if self._files is None:
                raise
            return "files", self._storage(run.id)

    def _storage(self, run_id: str) -> Artifacts:
        if self._files is None:
            raise OutsideError(
                "The files of this version are in another storage than MLflow's.",
                hint="Set FLOWYARD_REGISTRY_FILES to what it was when they were registered.",
            )
        return StorageArtifacts(f"{self._files.rstrip('/')}/mlflow/{run_id}")


def open_rest(url: str, environ: Mapping[str, str]) -> MlflowRest:
    """The API at ``mlflow+http://HOST``, ``mlflow+https://HOST/PATH`` or ``mlflow+azureml://HOST/mlflow/v1.0/…``.

    The last is the tracking URI that a workspace of Azure ML shows. Raises UserError.
    """
    parts = urlsplit(url.removeprefix("mlflow+"))
    address = parts._replace(scheme="https" if parts.scheme == "azureml" else parts.scheme, query="", fragment="")
    return MlflowRest(address.geturl(), open_login(address.geturl(), environ))


def open_store(url: str, environ: Mapping[str, str]) -> MlflowStore:
    """The registry at such an address, ``?prefix=TEXT`` behind it if its models' names begin so.

    Nothing is asked before it is used. Raises UserError.
    """
    return MlflowStore(open_rest(url, environ), environ.get("FLOWYARD_REGISTRY_FILES") or None, registry_prefix(url))


def registry_prefix(url: str) -> str:
    """What stands behind ``?prefix=`` of an address. Raises UserError for anything else there."""
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    prefix = query.pop("prefix", [""])[-1]
    if query or not _PREFIX.fullmatch(prefix):
        raise UserError(
            "What is behind the ? of the registry's URL is none that flowyard knows.",
            hint="Only ?prefix=TEXT, of letters, digits, dots, dashes and underscores, at most 50.",
        )
    return prefix


def _all(work: Callable[[_A], _B], things: Iterable[_A]) -> list[_B]:
    """Do it for all things, some at once, and stop at the first error."""
    listed = list(things)
    if len(listed) < 2:
        return [work(thing) for thing in listed]
    with ThreadPoolExecutor(min(_AT_ONCE, len(listed))) as threads:
        futures = [threads.submit(work, thing) for thing in listed]
        try:
            return [future.result() for future in futures]
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _checked(kind: type[_N], value: Mapping[str, Any]) -> _N:
    """A note as it was written. Raises StoreError for anything else."""
    try:
        return kind(**value)
    except TypeError as error:
        raise StoreError(f"A note in MLflow was changed: {error}.", hint="Restore its tag.") from None


def _mlflow_alias(alias: str) -> str | None:
    """The alias as MLflow's page shows it, which knows letters, digits, ``_`` and ``-``; None if it can have none."""
    shown = _ALIAS_SIGN.sub("-", alias)
    return None if _NO_ALIAS.fullmatch(shown) else shown


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
