"""Checks of who may do what: the caller, and the identities of endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.azure.account.checks import Examination, command
from flowyard.azure.account.model import Finding, Needs
from flowyard.azure.account.permissions import allows
from flowyard.azure.account.reader import AUTHORIZATION
from flowyard.azure.arm import arm_path
from flowyard.azure.built_in_roles import DEPLOYER_ROLES, ENDPOINT_ROLES, PRINCIPAL, Part
from flowyard.azure.errors import AzureNotFound

__all__ = ["check_caller", "check_caller_roles", "check_identities"]


@dataclass(frozen=True, slots=True)
class _Right:
    """``role`` is the smallest built-in role that has the actions at that part.

    ``only_where`` says when it is needed at all; Azure does not show whether that is so.
    """

    role: str
    part: Part
    actions: tuple[str, ...]
    is_data: bool = False
    only_where: str = ""


_ML = "Microsoft.MachineLearningServices/workspaces"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"

_CALLER = (
    _Right(
        DEPLOYER_ROLES["workspace"],
        "workspace",
        (
            *(f"{_ML}/{kind}/versions/write" for kind in ("data", "models", "environments")),
            *(f"{_ML}/onlineEndpoints/{action}" for action in ("write", "deployments/write", "listKeys/action")),
        ),
    ),
    _Right(
        DEPLOYER_ROLES["containerRegistry"], "containerRegistry", ("Microsoft.ContainerRegistry/registries/push/write",)
    ),
    _Right(
        DEPLOYER_ROLES["storageAccount"],
        "storageAccount",
        (f"{_BLOBS}/write",),
        is_data=True,
        only_where="where the workspace's datastore has no key of its own",
    ),
)
_ENDPOINT = (
    _Right(ENDPOINT_ROLES["workspace"], "workspace", (f"{_ML}/connections/listsecrets/action",)),
    _Right(
        ENDPOINT_ROLES["containerRegistry"], "containerRegistry", ("Microsoft.ContainerRegistry/registries/pull/read",)
    ),
    _Right(ENDPOINT_ROLES["storageAccount"], "storageAccount", (f"{_BLOBS}/read",), is_data=True),
)


async def check_caller(own: Examination) -> AsyncIterator[Finding]:
    """The login may do what a deployment takes, by whatever roles."""
    for right in _CALLER:
        scope = own.place.path if right.part == "workspace" else own.part(right.part)
        if not scope:
            continue
        permissions = await own.reader.list(f"{scope}/providers/{AUTHORIZATION}/permissions")
        yield _verdict(f"your role on {_last(scope)}", right, permissions, _give(own.caller.assignee, right, scope))


async def check_caller_roles(own: Examination) -> AsyncIterator[Finding]:
    """The roles that the login has on the workspace, by name; Owner of it all is told to be too much."""
    if not own.caller.object_id:
        yield Finding("your roles", "unknown", "The token does not say whose it is.")
        return
    found = await _assignments(own, own.place.path, own.caller.object_id)
    names = sorted({str(definition.get("roleName") or "?") for definition in found})
    yield Finding("your roles", "ok", ", ".join(names) or "none on the workspace by name")
    if "Owner" in names and not own.caller.is_person:
        yield Finding(
            "your roles",
            "unknown",
            "Owner is more than a pipeline needs.",
            "flowyard azure setup --print gives the least that does.",
        )


async def check_identities(own: Examination) -> AsyncIterator[Finding]:
    """The identity of each endpoint may read connections' secrets, pull images and read registered files."""
    for need in own.needs:
        if need.target != "azure-ml":
            continue
        what = f"identity of {need.endpoint}"
        try:
            endpoint = await own.reader.get(own.place.path + arm_path("onlineEndpoints", need.endpoint))
        except AzureNotFound:
            yield Finding(what, "unknown", "There is no such endpoint yet; the first deployment makes it.")
            continue
        async for each in _identity(own, need, what, endpoint):
            yield each


async def _identity(own: Examination, need: Needs, what: str, endpoint: Mapping[str, Any]) -> AsyncIterator[Finding]:
    principals = _principals(endpoint.get("identity"))
    if not principals:
        yield Finding(what, "wrong", f"The endpoint {need.endpoint} has no identity.", "Deploy it anew.")
    for principal in principals:
        for right in _ENDPOINT:
            scope = own.place.path if right.part == "workspace" else own.part(right.part)
            if not scope:
                continue
            definitions = await _assignments(own, scope, principal)
            permissions = [each for definition in definitions for each in definition.get("permissions") or ()]
            assignee = ["--assignee-object-id", principal, *PRINCIPAL]
            yield _verdict(f"{what} on {_last(scope)}", right, permissions, _give(assignee, right, scope))


def _verdict(what: str, right: _Right, permissions: list[Mapping[str, Any]], fix: str) -> Finding:
    lacking = [action for action in right.actions if not allows(permissions, action, is_data=right.is_data)]
    if not lacking:
        return Finding(what, "ok", f"may do what {right.role} may")
    if right.only_where:
        return Finding(what, "unknown", f"may not {', '.join(lacking)}, which is needed {right.only_where}.", fix)
    return Finding(what, "wrong", f"may not {', '.join(lacking)}.", fix)


def _give(assignee: list[str], right: _Right, scope: str) -> str:
    return command("az", "role", "assignment", "create", *assignee, "--role", right.role, "--scope", scope)


async def _assignments(own: Examination, scope: str, principal: str) -> list[Mapping[str, Any]]:
    """The definitions (``properties``) of the roles that somebody has at a scope or above it, also by a group."""
    query = {"$filter": f"atScope() and assignedTo('{principal}')"}
    found = await own.reader.list(f"{scope}/providers/{AUTHORIZATION}/roleAssignments", query)
    ids = {str((each.get("properties") or {}).get("roleDefinitionId") or "") for each in found}
    return [(await own.reader.get(each)).get("properties") or {} for each in sorted(ids) if each.startswith("/")]


def _principals(identity: Any) -> list[str]:
    if not isinstance(identity, Mapping):
        return []
    given = identity.get("userAssignedIdentities")
    users = (
        [each.get("principalId") for each in given.values() if isinstance(each, Mapping)]
        if isinstance(given, Mapping)
        else []
    )
    return [str(each) for each in (identity.get("principalId"), *users) if each]


def _last(scope: str) -> str:
    return scope.rsplit("/", 1)[-1]
