"""Versions as data assets and models of Azure ML: datasets are ``uri_folder``/``uri_file``, flows ``custom_model``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flowyard.azure import ArmClient, AzureNotFound, arm_path
from flowyard.errors import StoreError
from flowyard.registry.model import Draft, Kind

__all__ = ["DIGEST", "SCHEMA", "SCHEMA_NAME", "Asset", "Assets", "asset_body"]

DIGEST = "content-sha256"
SCHEMA = "content-sha256-schema"
SCHEMA_NAME = "flowyard version 1"
"""How the digest was made; assets with another one are not compared with ours."""

REGISTRATION = "flowyard-registration"
"""Who made a version: of two that write the same content at once, exactly one finds its own mark there."""

SOURCE_FLOW = "azureml.promptflow.source_flow_id"
"""Makes a model one of prompt flow: its deployments may take 300 s for a request, and 90 s without."""

_COLLECTIONS: Mapping[Kind, str] = {"dataset": "data", "flow": "models"}
_ALL = {"listViewType": "All"}
_DIGEST_FORM = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Asset:
    """A version as Azure ML has it, if it is one of ours. ``uri`` is where its files are."""

    version: int
    digest: str
    registration: str
    uri: str
    description: str
    created_at: str


def asset_body(draft: Draft, uri: str, registration: str) -> dict[str, Any]:
    """What a version is created with. Tags are left to people; what identifies the content cannot be changed later."""
    place = (
        {"dataType": "uri_folder" if draft.is_folder else "uri_file", "dataUri": uri}
        if draft.kind == "dataset"
        else {"modelType": "custom_model", "modelUri": uri}
    )
    known = {DIGEST: draft.digest, SCHEMA: SCHEMA_NAME, REGISTRATION: registration}
    if draft.kind == "flow":
        known[SOURCE_FLOW] = draft.name
    description = {"description": draft.description} if draft.description else {}
    return {"properties": {**place, **description, "properties": known, "isAnonymous": False, "isArchived": False}}


class Assets:
    """The data assets and models below one workspace or registry."""

    def __init__(self, arm: ArmClient, path: str) -> None:
        self._arm = arm
        self._path = path

    async def names(self, kind: Kind) -> list[str]:
        """The names of all assets, whoever made them."""
        path = self._path + arm_path(_COLLECTIONS[kind])
        return [str(item.get("name")) async for item in self._arm.iter_items(path, _ALL)]

    async def next_version(self, kind: Kind, name: str) -> int:
        """The number that Azure ML would give next; 1 when there is nothing of that name."""
        try:
            container = await self._arm.get(self._container(kind, name))
        except AzureNotFound:
            return 1
        number = _properties(container).get("nextVersion")
        return int(number) if isinstance(number, str) and _NUMBER.fullmatch(number) else 1

    async def versions(self, kind: Kind, name: str) -> list[Asset]:
        """All of ours of that name, archived or not, oldest first; empty when there is nothing of that name."""
        path = self._container(kind, name) + arm_path("versions")
        try:
            found = [_asset(kind, item) async for item in self._arm.iter_items(path, _ALL)]
        except AzureNotFound:
            return []
        return sorted((each for each in found if each is not None), key=lambda each: each.version)

    async def find(self, kind: Kind, name: str, version: int) -> Mapping[str, Any] | None:
        """One version, whoever made it; None when there is none of that number."""
        try:
            return await self._arm.get(self._version(kind, name, version))
        except AzureNotFound:
            return None

    async def find_ours(self, kind: Kind, name: str, version: int) -> Asset | None:
        """One version; None when there is none of that number, or it is not one of ours."""
        item = await self.find(kind, name, version)
        return None if item is None else _asset(kind, item)

    async def put(self, kind: Kind, name: str, version: int, body: Mapping[str, Any]) -> Asset | None:
        """Create a version of exactly that number; returns what is there afterwards, if it is one of ours."""
        reply = await self._arm.put(self._version(kind, name, version), body)
        return _asset(kind, reply.body) if reply.body.get("name") else await self.find_ours(kind, name, version)

    def _container(self, kind: Kind, name: str) -> str:
        return self._path + arm_path(_COLLECTIONS[kind], name)

    def _version(self, kind: Kind, name: str, version: int) -> str:
        return self._container(kind, name) + arm_path("versions", str(version))


def _asset(kind: Kind, item: Mapping[str, Any]) -> Asset | None:
    """None for what others registered: no digest of ours, or a version that is no number."""
    fields = _properties(item)
    known = fields.get("properties")
    known = known if isinstance(known, dict) else {}
    number, digest = str(item.get("name") or ""), str(known.get(DIGEST) or "")
    if known.get(SCHEMA) != SCHEMA_NAME or not _NUMBER.fullmatch(number):
        return None
    uri = fields.get("dataUri" if kind == "dataset" else "modelUri")
    if not _DIGEST_FORM.fullmatch(digest) or not isinstance(uri, str):
        raise StoreError(f"Version {number} in Azure ML has no {DIGEST} or no files.", hint="Somebody changed it.")
    return Asset(
        version=int(number),
        digest=digest,
        registration=str(known.get(REGISTRATION) or ""),
        uri=uri,
        description=str(fields.get("description") or ""),
        created_at=_moment(item.get("systemData")),
    )


def _properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = item.get("properties")
    return fields if isinstance(fields, dict) else {}


def _moment(system: Any) -> str:
    """When Azure made it, in the form that all stores have; empty when it does not say."""
    said = system.get("createdAt") if isinstance(system, dict) else None
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
