"""Assets with versions: what a PUT may create, what it may change, and how lists are paged."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

from azure_ml import shapes
from azure_ml.faults import refused

SHAPES = {"data": shapes.DATA, "models": shapes.MODEL, "environments": shapes.ENVIRONMENT}
FIXED = {
    "data": ("dataType", "dataUri"),
    "models": ("modelType", "modelUri"),
    "environments": ("image", "condaFile", "build", "osType"),
}
DEFAULTS: dict[str, dict[str, Any]] = {"models": {"flavors": {}}}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
LIST_QUERY = {"api-version", "$skip", "$top", "$orderBy", "$tags", "listViewType", "tags", "properties"}


class FakeAssets:
    """The versions of one collection of a workspace, by name and version."""

    def __init__(self, collection: str, path: str, page: int) -> None:
        self._collection = collection
        self._path = path
        self._page = page
        self._check = Draft202012Validator(shapes.version_of(SHAPES[collection]))
        self.versions: dict[str, dict[str, dict[str, Any]]] = {}
        self.taken_status = 409
        """What answers a PUT that would change what cannot be changed."""

    def container(self, name: str) -> web.Response:
        if name not in self.versions:
            return refused(404, "NotFound", f"{name} was not found.")
        return web.json_response(self._container(name))

    def containers(self, address: str, query: Any) -> web.Response:
        return self._list([self._container(name) for name in sorted(self.versions)], self._path, address, query)

    def list(self, name: str, address: str, query: Any) -> web.Response:
        if name not in self.versions:
            return refused(404, "NotFound", f"{name} was not found.")
        found = list(self.versions[name].values())[::-1]  # the newest first, as the service does
        if query.get("listViewType", "ActiveOnly") == "ActiveOnly":
            found = [each for each in found if not each["properties"].get("isArchived")]
        return self._list(found, f"{self._path}/{name}/versions", address, query)

    def get(self, name: str, version: str) -> web.Response:
        found = self.versions.get(name, {}).get(version)
        return (
            refused(404, "NotFound", f"{name}:{version} was not found.") if found is None else web.json_response(found)
        )

    def put(self, name: str, version: str, body: Any) -> web.Response:
        problem = next(iter(self._check.iter_errors(body)), None)
        if problem is not None or not NAME.fullmatch(name) or not NAME.fullmatch(version):
            return refused(400, "ValidationError", problem.message if problem else "The name is not valid.")
        there = self.versions.get(name, {}).get(version)
        fields = {key: value for key, value in body["properties"].items() if value is not None}
        if there is None:
            made = self._resource(f"{name}/versions/{version}", version, fields)
            self.versions.setdefault(name, {})[version] = made
            return web.json_response(made, status=201)
        known, given = there["properties"], fields.get("properties") or {}
        same = all(known.get(key) == fields.get(key) for key in FIXED[self._collection])
        kept = all((known.get("properties") or {}).get(key, value) == value for key, value in given.items())
        if not same or not kept:
            message = f"{name}:{version} already exists. Only tags, description and isArchived can be updated."
            return refused(self.taken_status, "UserError", message)
        known.update({key: fields[key] for key in ("tags", "description", "isArchived") if key in fields})
        return web.json_response(there)

    def _container(self, name: str) -> dict[str, Any]:
        numbers = [int(version) for version in self.versions[name] if version.isdecimal()]
        latest = list(self.versions[name])[-1]
        fields = {"latestVersion": latest, "nextVersion": str(max(numbers, default=0) + 1), "isArchived": False}
        if self._collection == "data":
            fields["dataType"] = self.versions[name][latest]["properties"]["dataType"]
        return self._resource(name, name, fields)

    def _resource(self, place: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f1+00:00")
        return {
            "id": f"{self._path}/{place}",
            "name": name,
            "type": f"Microsoft.MachineLearningServices/workspaces/{self._collection}",
            "properties": {"tags": {}, "properties": {}, **DEFAULTS.get(self._collection, {}), **fields},
            "systemData": {"createdAt": now, "createdBy": "Somebody", "createdByType": "User"},
        }

    def _list(self, items: list[Any], path: str, address: str, query: Any) -> web.Response:
        if not set(query) <= LIST_QUERY:
            return refused(400, "BadArgument", f"Unknown: {sorted(set(query) - LIST_QUERY)}")
        start = int(query.get("$skip") or 0)
        items = items[: start + int(query["$top"])] if "$top" in query else items
        page: dict[str, Any] = {"value": items[start : start + self._page]}
        if start + self._page < len(items):
            view = query.get("listViewType", "ActiveOnly")
            version = query["api-version"]
            page["nextLink"] = f"{address}{path}?api-version={version}&$skip={start + self._page}&listViewType={view}"
        return web.json_response(page)
