"""The roles that an endpoint's identity needs, given by us or left to somebody who may."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flowyard.azure import ArmClient, AzureConflict, AzureDenied, AzureNotFound, arm_path
from flowyard.azure.built_in_roles import DEFINITIONS, ENDPOINT_ROLES, Part, role_assignment
from flowyard.deploy.options.azure_ml import AzureMlOptions

__all__ = [
    "API_VERSION",
    "IDENTITY_VERSION",
    "RoleStep",
    "give_roles",
    "missing_roles",
    "needed_roles",
    "principals_of",
]

API_VERSION = "2022-04-01"
"""Of Microsoft.Authorization."""

IDENTITY_VERSION = "2023-01-31"
"""Of Microsoft.ManagedIdentity."""

_AUTHORIZATION = ("providers", "Microsoft.Authorization")


@dataclass(frozen=True, slots=True)
class RoleStep:
    """A role at a scope."""

    role: str
    scope: str

    @property
    def definition(self) -> str:
        """The id of the role's definition."""
        return DEFINITIONS[self.role]

    def command(self, principal: str) -> str:
        """What somebody runs who may give roles."""
        return shlex.join(role_assignment(principal, self.role, self.scope))


def needed_roles(
    options: AzureMlOptions, workspace: Mapping[str, Any], variables: Mapping[str, str], connections: Sequence[str]
) -> list[RoleStep]:
    """The roles by what the deployment uses: connections, the registry of its image, the storage of its model."""
    fields = workspace.get("properties") or {}
    has_connections = connections or any("azureml://connections/" in value for value in variables.values())
    scopes: Mapping[Part, Any] = {
        "workspace": workspace["id"] if has_connections else None,
        "containerRegistry": options.container_registry or fields.get("containerRegistry"),
        "storageAccount": options.storage_account or fields.get("storageAccount"),
    }
    return [RoleStep(ENDPOINT_ROLES[part], str(scope)) for part, scope in scopes.items() if scope]


async def principals_of(endpoint: Mapping[str, Any], identities: ArmClient) -> list[str]:
    """The object ids of an endpoint's identities."""
    identity = endpoint.get("identity") or {}
    found = [identity["principalId"]] if identity.get("principalId") else []
    for name, known in (identity.get("userAssignedIdentities") or {}).items():
        principal = (known or {}).get("principalId")
        found.append(principal or (await identities.get(name))["properties"]["principalId"])
    return [str(each) for each in found]


async def missing_roles(arm: ArmClient, principal: str, steps: Sequence[RoleStep]) -> list[RoleStep]:
    """Those that the principal does not have, as far as the caller may see it."""
    return [step for step in steps if not await _has(arm, principal, step)]


async def give_roles(arm: ArmClient, principal: str, steps: Sequence[RoleStep]) -> list[RoleStep]:
    """Give them; returns those that the caller may not give. The name follows from all, so that none is given twice."""
    left = []
    for step in steps:
        name = str(uuid5(NAMESPACE_URL, f"{step.scope}|{principal}|{step.definition}"))
        subscription = step.scope.split("/")[2]
        definition = arm_path("subscriptions", subscription, *_AUTHORIZATION, "roleDefinitions", step.definition)
        fields = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}
        try:
            await arm.put(step.scope + arm_path(*_AUTHORIZATION, "roleAssignments", name), {"properties": fields})
        except AzureConflict:
            pass  # it has the role by another assignment
        except AzureDenied:
            left.append(step)
    return left


async def _has(arm: ArmClient, principal: str, step: RoleStep) -> bool:
    path = step.scope + arm_path(*_AUTHORIZATION, "roleAssignments")
    try:
        found = [item async for item in arm.iter_items(path, {"$filter": f"assignedTo('{principal}')"})]
    except (AzureDenied, AzureNotFound):
        return False
    return any(str(item["properties"].get("roleDefinitionId", "")).endswith(step.definition) for item in found)
