"""Online endpoints of one workspace while its connections are open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.azure import ArmClient, AzureConflict, AzureError, AzureNotFound, arm_path
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml.bodies import (
    DIGEST,
    deployment_body,
    endpoint_body,
    environment_body,
    environment_name,
)
from flowyard.deploy.targets.azure_ml.workspace import Workspace
from flowyard.errors import Conflict, OutsideError
from flowyard.registry.stores.azure_ml_assets import Assets

__all__ = ["Online"]

_DONE = "succeeded"
_MOST_ROUNDS = 5
_LOG_CONTAINERS = ("InferenceServer", "StorageInitializer")


class Online:
    """Reads and changes endpoints, deployments, and what these are made of. Raises AzureError."""

    def __init__(self, arm: ArmClient, workspace: Workspace, options: AzureMlOptions) -> None:
        self.arm = arm
        self.workspace = workspace
        self.options = options

    async def endpoint(self, name: str) -> Mapping[str, Any] | None:
        """The endpoint as it is now."""
        try:
            return await self.arm.get(self.endpoint_path(name))
        except AzureNotFound:
            return None

    async def deployments(self, endpoint: str) -> list[Mapping[str, Any]]:
        """Its deployments, oldest first."""
        path = self.endpoint_path(endpoint) + arm_path("deployments")
        try:
            found = [item async for item in self.arm.iter_items(path)]
        except AzureNotFound:
            return []
        return sorted(found, key=lambda item: (_created(item), str(item.get("name"))))

    async def workspace_record(self) -> Mapping[str, Any]:
        """The workspace, with its location, container registry and storage."""
        return await self.arm.get(self.workspace.path)

    async def ensure_endpoint(self, wanted: WantedDeployment, location: str) -> Mapping[str, Any]:
        """The endpoint, made if it is not there. Raises Conflict for one that was made otherwise."""
        path = self.endpoint_path(wanted.endpoint)
        body = endpoint_body(self.options, self.workspace, location)
        found = await self.arm.settled(path)
        if found is None or state_of(found) != _DONE:
            found = await self._put_settled(path, body)
        if found is None or state_of(found) != _DONE:
            state = state_of(found) if found else "gone"
            raise OutsideError(
                f"The endpoint {wanted.endpoint} is not ready: Azure says {state}.", hint=_activity(self)
            )
        self.require_same_kind(found, body)
        return found

    def require_same_kind(self, found: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Raises Conflict when an endpoint cannot become what it should be."""
        for key, option in (("authMode", "auth_mode"), ("compute", "compute")):
            is_now, wanted = found["properties"].get(key), body["properties"].get(key)
            if str(is_now or "").lower() != str(wanted or "").lower():
                raise Conflict(
                    f"The endpoint {found['name']} has {key} {is_now or 'managed'}, which stays.",
                    hint=f"Remove the endpoint first, name another 'endpoint', or change options.{option} back.",
                )

    async def ensure_deployment(self, wanted: WantedDeployment, location: str) -> None:
        """The deployment, ready; one that is broken is made anew. Raises AzureError when it does not get ready."""
        path = self.deployment_path(wanted.endpoint, wanted.name)
        found = await self.arm.settled(path)
        if found is not None and state_of(found) == _DONE and digest_of(found) == wanted.digest:
            return
        if found is not None and not await self.has_requests(wanted.endpoint, wanted.name):
            await self.arm.delete(path)
        name, version = environment_name(wanted)
        environment = self.workspace.path + arm_path("environments", name, "versions", version)
        await self.arm.put(environment, environment_body(wanted))
        model = await self.model_of(wanted)
        body = deployment_body(wanted, self.options, self.workspace, location, model)
        made = await self._put_settled(path, body)
        if made is None or state_of(made) != _DONE:
            raise AzureError(f"The deployment is {state_of(made) if made else 'gone'} after it was made.")

    async def _put_settled(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What is there once it was written; a conflict says that an earlier call of ours, or another, goes on."""
        for attempt in range(1, _MOST_ROUNDS + 1):
            try:
                await self.arm.put(path, body)
            except AzureConflict:
                found = await self.arm.settled(path)
                if found is not None and state_of(found) == _DONE:
                    return found
                await self.arm.pause(attempt)
            else:
                break
        return await self.arm.settled(path)

    async def has_requests(self, endpoint: str, name: str) -> bool:
        """Whether a deployment has a share of the requests, or copies of them."""
        fields = ((await self.endpoint(endpoint)) or {"properties": {}})["properties"]
        return any((fields.get(key) or {}).get(name) for key in ("traffic", "mirrorTraffic"))

    async def model_of(self, wanted: WantedDeployment) -> str | None:
        """The id of the model that is the registered version: by its digest. None when the workspace has none."""
        if self.options.model:
            return _model_id(self.options.model, self.workspace)
        name, _, number = wanted.version_label.partition(":")
        assets = Assets(self.arm, self.workspace.path)
        found = await assets.find_ours("flow", name, int(number)) if number.isdecimal() else None
        if found is None or found.digest != wanted.digest:
            same = [each for each in await assets.versions("flow", name) if each.digest == wanted.digest]
            found = same[0] if same else None
        return self.workspace.path + arm_path("models", name, "versions", str(found.version)) if found else None

    async def log_text(self, endpoint: str, deployment: str, lines: int) -> str:
        """What the server of a deployment wrote; what fetched its model, when the server wrote nothing."""
        path = self.deployment_path(endpoint, deployment) + arm_path("getLogs")
        for container in _LOG_CONTAINERS:
            reply = await self.arm.post(path, {"containerType": container, "tail": lines}, repeatable=True)
            if str(reply.body.get("content") or "").strip():
                return str(reply.body["content"])
        return ""

    async def key(self, endpoint: str) -> str:
        """What callers send as a bearer token: a key, or a token of Azure ML."""
        path = self.endpoint_path(endpoint)
        if self.options.auth_mode == "key":
            return str((await self.arm.post(path + arm_path("listKeys"), repeatable=True)).body["primaryKey"])
        return str((await self.arm.post(path + arm_path("token"), repeatable=True)).body["accessToken"])

    def endpoint_path(self, name: str) -> str:
        """Its path in the management API."""
        return self.workspace.path + arm_path("onlineEndpoints", name)

    def deployment_path(self, endpoint: str, name: str) -> str:
        """Its path in the management API."""
        return self.endpoint_path(endpoint) + arm_path("deployments", name)


def state_of(resource: Mapping[str, Any]) -> str:
    """``provisioningState`` in small letters."""
    return str(resource["properties"].get("provisioningState") or _DONE).lower()


def digest_of(deployment: Mapping[str, Any]) -> str:
    """The digest of the flow version in it; empty for a deployment that is not ours."""
    return str((deployment["properties"].get("properties") or {}).get(DIGEST) or "")


def _created(item: Mapping[str, Any]) -> str:
    system = item.get("systemData")
    return str(system.get("createdAt") or "") if isinstance(system, dict) else ""


def _model_id(name: str, workspace: Workspace) -> str:
    if name.startswith("azureml://"):
        return name
    _, model, version = name.split(":")
    return workspace.path + arm_path("models", model, "versions", version)


def _activity(online: Online) -> str:
    return f"az monitor activity-log list --resource-group {online.workspace.resource_group} says why."
