"""Objects with the owners of their fields: server-side apply, as documented, but lists are always one field."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from kubernetes_api.refused import Refused

Path_ = tuple[str, ...]
_HEAD = ("name", "resourceVersion")
_SCHEMAS = Path(__file__).parents[2] / "schemas" / "kubernetes"
_NEEDED = {"Service": ("spec", "ports"), "Deployment": ("spec", "template"), "HTTPRoute": ("spec", "parentRefs")}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "Deployment": {"replicas": 1},
    "HTTPRoute": {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]},
}


def manifest_problems(manifest: dict[str, Any], version: str = "1.35") -> list[str]:
    """What the schema of that version of Kubernetes says against an object; nothing for a kind without one."""
    checker = _checkers(version).get(manifest["kind"]) or _checkers("gateway-1").get(manifest["kind"])
    if checker is None:
        return [f"There is no schema of {manifest['kind']}."]
    return [f"{each.json_path}: {each.message}" for each in checker.iter_errors(manifest)]


@functools.cache
def _checkers(version: str) -> dict[str, jsonschema.Draft7Validator]:
    schema = json.loads((_SCHEMAS / f"{version}.json").read_text())
    return {
        kind: jsonschema.Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": schema["definitions"]})
        for kind, name in schema["kinds"].items()
    }


@dataclass
class Stored:
    """An object and, for each of its fields, who owns it."""

    body: dict[str, Any]
    owners: dict[Path_, set[str]] = field(default_factory=dict)


@dataclass
class Objects:
    """All objects of one namespace, by kind and name."""

    found: dict[tuple[str, str], Stored] = field(default_factory=dict)
    version: int = 0

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        stored = self.found.get((kind, name))
        return stored.body if stored else None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [stored.body for (each, _), stored in self.found.items() if each == kind]

    def apply(self, manifest: dict[str, Any], manager: str, *, force: bool, dry_run: bool) -> dict[str, Any]:
        """The object afterwards. Raises Refused: 409 for fields of others, 422 for what the schema does not allow."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if problems := manifest_problems(manifest):
            raise Refused(400, "BadRequest", "; ".join(problems))
        stored = deepcopy(self.found.get((kind, name))) or Stored(self._new(kind, name, manifest["apiVersion"]))
        before = deepcopy(stored.body)
        asked = manifest["metadata"].get("resourceVersion")
        if asked is not None and asked != before["metadata"].get("resourceVersion"):
            said = "the object has been modified; please apply your changes to the latest version and try again"
            raise Refused(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {said}')
        wanted = dict(_fields(manifest, kind))
        self._require_own(stored, wanted, manager, kind, force=force)
        for path in [path for path, owners in stored.owners.items() if manager in owners and path not in wanted]:
            stored.owners[path].discard(manager)
            if not stored.owners[path]:
                del stored.owners[path]
                _take(stored.body, path)
        for path, value in wanted.items():
            _put(stored.body, path, deepcopy(value))
            stored.owners[path] = ({manager} if force else stored.owners.get(path, set())) | {manager}
        for key, value in _DEFAULTS.get(kind, {}).items():
            stored.body["spec"].setdefault(key, value)
        head, last = _NEEDED.get(kind, ("metadata", "name"))
        if last not in stored.body.get(head, {}):
            raise Refused(422, "Invalid", f'{kind} "{name}" is invalid: {head}.{last}: Required value')
        self._finish(stored, before, dry_run=dry_run)
        if not dry_run:
            self.found[kind, name] = stored
        return stored.body

    def edit(self, kind: str, name: str, path: Path_, value: Any, manager: str = "kubectl-edit") -> None:
        """Somebody else changes a field, and owns it from then on."""
        stored = self.found[kind, name]
        _put(stored.body, path, value)
        stored.owners[path] = {manager}

    def remove(self, kind: str, name: str) -> None:
        self.found.pop((kind, name), None)

    def _require_own(self, stored: Stored, wanted: dict[Path_, Any], manager: str, kind: str, *, force: bool) -> None:
        causes = []
        for path, value in wanted.items():
            others = stored.owners.get(path, set()) - {manager}
            if others and _read(stored.body, path) != value:
                said = f'conflict with "{min(others)}"'
                causes.append({"reason": "FieldManagerConflict", "message": said, "field": "." + ".".join(path)})
        if causes and not force:
            shown = ", ".join(f"{each['message']}: {each['field']}" for each in causes)
            message = f"Apply failed with {len(causes)} conflicts: {shown}"
            raise Refused(409, "Conflict", message, causes)

    def _finish(self, stored: Stored, before: dict[str, Any], *, dry_run: bool) -> None:
        metadata = stored.body["metadata"]
        if stored.body == before:
            return
        if stored.body.get("spec") != before.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        self.version += not dry_run
        metadata["resourceVersion"] = str(self.version)
        metadata["managedFields"] = [
            {"manager": each, "operation": "Apply", "fieldsType": "FieldsV1"}
            for each in sorted({owner for owners in stored.owners.values() for owner in owners})
        ]

    def _new(self, kind: str, name: str, api_version: str) -> dict[str, Any]:
        made = f"2026-01-01T00:00:{len(self.found) % 60:02}Z"
        metadata = {"name": name, "uid": f"uid-{self.version}-{len(self.found)}", "creationTimestamp": made}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _fields(manifest: dict[str, Any], kind: str) -> Iterator[tuple[Path_, Any]]:
    kept = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind")}
    kept["metadata"] = {key: value for key, value in manifest["metadata"].items() if key not in _HEAD}
    if not kept["metadata"]:
        del kept["metadata"]
    yield from _leaves(kept, (), kind)


def _leaves(value: Any, path: Path_, kind: str) -> Iterator[tuple[Path_, Any]]:
    is_one = (kind, path) == ("Service", ("spec", "selector"))
    if isinstance(value, dict) and (value or not path) and not is_one:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key), kind)
    else:
        yield path, value


def _read(body: dict[str, Any], path: Path_) -> Any:
    found: Any = body
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _put(body: dict[str, Any], path: Path_, value: Any) -> None:
    for key in path[:-1]:
        body = body.setdefault(key, {})
    body[path[-1]] = value


def _take(body: dict[str, Any], path: Path_) -> None:
    for key in path[:-1]:
        body = body.get(key, {})
    body.pop(path[-1], None)
