"""The target ``azure-ml``: an online endpoint of a workspace, through Azure's management API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from flowyard._util.aio import run_blocking
from flowyard.abc import Target, TrafficPlatform
from flowyard.azure import ArmClient, AzureCloud, AzureDenied, AzureError, AzureNotFound, open_http, open_tokens
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Address, Change, Deployment, EndpointState, Traffic, WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml import roles
from flowyard.deploy.targets.azure_ml.bodies import endpoint_body
from flowyard.deploy.targets.azure_ml.changes import planned_changes
from flowyard.deploy.targets.azure_ml.export import write_files
from flowyard.deploy.targets.azure_ml.online import Online
from flowyard.deploy.targets.azure_ml.rules import (
    quota_hint,
    require_room,
    require_shares,
    require_timeout,
    require_wanted,
)
from flowyard.deploy.targets.azure_ml.shares import mirror_of, traffic_of, write_shares
from flowyard.deploy.targets.azure_ml.state import base_address, endpoint_state
from flowyard.deploy.targets.azure_ml.workspace import find_workspace
from flowyard.errors import Conflict, NotFound, OutsideError

__all__ = ["AzureMlTarget"]

API_VERSION = "2024-10-01"
"""The stable version of Azure ML's API that everything here keeps to."""

_ROLE = "AzureML Data Scientist"
_SCORING_SCOPE = "https://ml.azure.com/.default"
_DEPLOYMENT_HEADER = "azureml-model-deployment"
_SAID_LINES = 8

Result = TypeVar("Result")


class AzureMlTarget(Target, TrafficPlatform):
    """Each call opens its own connections. Nothing is kept on this machine: what Azure says is what is so."""

    label = "azure-ml"
    needs_image = True

    def __init__(
        self, home: Path, environ: Mapping[str, str], options: AzureMlOptions, patience: Patience | None = None
    ) -> None:
        del home
        self._patience = patience
        self._environ = dict(environ)
        self._options = options

    def plan(self, wanted: WantedDeployment) -> Sequence[Change]:
        """See Target."""
        return self._run(lambda online: self._plan(online, wanted))

    def apply(self, wanted: WantedDeployment) -> Deployment:
        """See Target."""
        if wanted.image is None:  # one that is there already needs none
            found = self.status(wanted.endpoint).find(wanted.name)
            if found is not None and found.state == "ready":
                return found
        require_wanted(wanted, self._options)
        return self._run(lambda online: self._apply(online, wanted))

    def status(self, endpoint: str) -> EndpointState:
        """See Target."""
        return self._run(lambda online: _status(online, endpoint))

    @contextmanager
    def reach(self, endpoint: str, deployment: str | None = None) -> Iterator[Address]:
        """See Target. The address goes with a key, or with a token that ends within the hour."""
        yield self._run(lambda online: self._address(online, endpoint, deployment))

    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        """See Target. Raises Conflict when somebody else changes them at the same time."""
        self._run(lambda online: write_shares(online, endpoint, shares))

    def require_possible(self, wanted: Traffic) -> None:
        """See TrafficPlatform."""
        require_shares(wanted.shares, wanted.mirror, {*wanted.shares, *wanted.mirror})

    def traffic(self, endpoint: str) -> Traffic:
        """See TrafficPlatform."""
        return self._run(lambda online: _traffic(online, endpoint))

    def set_traffic(self, endpoint: str, wanted: Traffic, seen: Traffic) -> None:
        """See TrafficPlatform. The endpoint's mark (etag) goes along where Azure gives one; it is read again after."""
        self._run(lambda online: write_shares(online, endpoint, wanted.shares, wanted.mirror, seen))

    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        """See Target."""
        return self._run(lambda online: _logs(online, endpoint, deployment, lines))

    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        """See Target. Azure deletes an endpoint with all of its deployments; environments and models stay."""
        self._run(lambda online: _remove(online, endpoint, deployment))

    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        """See Target. Files for ``az ml``, and the commands."""
        return write_files(wanted, self._options, find_workspace(self._options, self._environ), folder)

    async def _plan(self, online: Online, wanted: WantedDeployment) -> list[Change]:
        endpoint = await online.endpoint(wanted.endpoint)
        deployments = await online.deployments(wanted.endpoint) if endpoint else []
        if endpoint is not None:
            online.require_same_kind(endpoint, endpoint_body(self._options, online.workspace, ""))
        require_room({str(each["name"]) for each in deployments}, wanted)
        changes = planned_changes(wanted, self._options, endpoint, deployments)
        if changes:
            require_timeout(self._options, has_model=await online.model_of(wanted) is not None)
        given = await self._role_changes(online, wanted, endpoint)
        return [*changes[:-1], *given, *changes[-1:]]

    async def _role_changes(
        self, online: Online, wanted: WantedDeployment, endpoint: Mapping[str, Any] | None
    ) -> list[Change]:
        changes = []
        for principal, step in await self._missing(online, wanted, endpoint):
            after = "given" if self._options.roles == "assign" else f"for somebody who may: {step.command(principal)}"
            changes.append(Change(f"role {step.role} on {step.scope.rpartition('/')[2]}", None, after))
        return changes

    async def _missing(
        self, online: Online, wanted: WantedDeployment, endpoint: Mapping[str, Any] | None
    ) -> list[tuple[str, roles.RoleStep]]:
        """Roles that identities of the endpoint do not have; all of them before there is an endpoint."""
        if self._options.roles == "skip":
            return []
        workspace = await online.workspace_record()
        needed = roles.needed_roles(self._options, workspace, wanted.variables, wanted.connections)
        if endpoint is None:
            return [("PRINCIPAL-OF-THE-ENDPOINT", step) for step in needed]
        arm, identities = online.arm.of_version(roles.API_VERSION), online.arm.of_version(roles.IDENTITY_VERSION)
        return [
            (principal, step)
            for principal in await roles.principals_of(endpoint, identities)
            for step in await roles.missing_roles(arm, principal, needed)
        ]

    async def _apply(self, online: Online, wanted: WantedDeployment) -> Deployment:
        require_timeout(self._options, has_model=await online.model_of(wanted) is not None)
        location = self._options.location or str((await online.workspace_record())["location"])
        endpoint = await online.ensure_endpoint(wanted, location)
        left = await self._give_roles(online, wanted, endpoint)
        try:
            await online.ensure_deployment(wanted, location)
        except AzureDenied:
            raise
        except AzureError as error:
            raise await self._not_ready(online, wanted, error, left) from None
        await self._copy_requests(online, wanted)
        made = (await _status(online, wanted.endpoint)).find(wanted.name)
        if made is None:
            raise OutsideError(f"The deployment {wanted.name} is gone again.", hint="Somebody deleted it meanwhile.")
        return made

    async def _give_roles(self, online: Online, wanted: WantedDeployment, endpoint: Mapping[str, Any]) -> list[str]:
        """Give what is missing, if that is wanted; returns the commands for what is left."""
        commands = []
        arm = online.arm.of_version(roles.API_VERSION)
        for principal, step in await self._missing(online, wanted, endpoint):
            may_give = self._options.roles == "assign" and not await roles.give_roles(arm, principal, [step])
            if not may_give:
                commands.append(step.command(principal))
        return commands

    async def _not_ready(
        self, online: Online, wanted: WantedDeployment, error: AzureError, left: list[str]
    ) -> OutsideError:
        """The error with what the deployment wrote, and what may be missing."""
        try:
            said = await _logs(online, wanted.endpoint, wanted.name, _SAID_LINES)
        except (AzureError, NotFound):
            said = []
        hints = [error.hint or ""]
        if "quota" in f"{error.code} {error.message}".lower() and self._options.is_managed:
            hints.append(quota_hint(wanted, self._options))
        hints += [f"Its identity may need: {command}" for command in left]
        what = f"The deployment {wanted.name} of {wanted.version_label} is not ready: {error.message}"
        return OutsideError("\n".join([what, *said]), hint="\n".join(filter(None, hints)))

    async def _copy_requests(self, online: Online, wanted: WantedDeployment) -> None:
        """Let a new deployment have copies of requests, where somebody else gets them."""
        endpoint = await online.endpoint(wanted.endpoint) or {"properties": {}}
        traffic = traffic_of(endpoint)
        if self._options.mirror and traffic and wanted.name not in traffic:
            await write_shares(online, wanted.endpoint, traffic, {wanted.name: self._options.mirror})

    async def _address(self, online: Online, endpoint: str, deployment: str | None) -> Address:
        found = await online.endpoint(endpoint)
        url = base_address(found) if found else None
        if url is None:
            hint = "flowyard deploy apply USECASE --env E makes it"
            raise NotFound(f"The endpoint {endpoint} does not answer.", hint=hint)
        headers = {}
        if deployment is not None:
            await _require(online, endpoint, deployment)
            headers[_DEPLOYMENT_HEADER] = deployment
        if self._options.auth_mode == "aad_token":
            key = await open_tokens(self._environ).token(_SCORING_SCOPE)
        else:
            key = await online.key(endpoint)
        return Address(url, {"Authorization": f"Bearer {key}", **headers})

    def _run(self, work: Callable[[Online], Awaitable[Result]]) -> Result:
        return run_blocking(self._work(work))

    async def _work(self, work: Callable[[Online], Awaitable[Result]]) -> Result:
        async with self._open() as online:
            return await work(online)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Online]:
        cloud, tokens = AzureCloud.read(self._environ), open_tokens(self._environ)
        workspace = find_workspace(self._options, self._environ)
        async with open_http(cloud, self._patience) as http:
            arm = ArmClient(http, cloud, tokens, api_version=API_VERSION, role=_ROLE)
            yield Online(arm, workspace, self._options)


async def _status(online: Online, endpoint: str) -> EndpointState:
    found = await online.endpoint(endpoint)
    if found is None:
        return EndpointState(endpoint)
    return endpoint_state(endpoint, found, await online.deployments(endpoint))


async def _traffic(online: Online, endpoint: str) -> Traffic:
    found = await online.endpoint(endpoint)
    if found is None:
        raise NotFound(f"There is no endpoint {endpoint}.", hint="flowyard deploy apply USECASE --env E")
    return Traffic(traffic_of(found), mirror_of(found))


async def _require(online: Online, endpoint: str, deployment: str) -> None:
    if not any(each["name"] == deployment for each in await online.deployments(endpoint)):
        raise NotFound(f"There is no deployment {deployment}.", hint="flowyard deploy status USECASE --env E")


async def _logs(online: Online, endpoint: str, deployment: str, lines: int) -> list[str]:
    await _require(online, endpoint, deployment)
    return (await online.log_text(endpoint, deployment, lines)).splitlines()[-lines:]


async def _remove(online: Online, endpoint: str, deployment: str | None) -> None:
    if deployment is None:
        await online.arm.delete(online.endpoint_path(endpoint))
        return
    found = await online.arm.settled(online.endpoint_path(endpoint))
    if found is None:
        return
    if traffic_of(found).get(deployment):
        message = f"{deployment} gets {traffic_of(found)[deployment]} % of the requests of {endpoint}."
        raise Conflict(message, hint="Give them to another one first: flowyard deploy rollback USECASE --env E")
    if deployment in mirror_of(found):
        await write_shares(online, endpoint, traffic_of(found), {})
    try:
        await online.arm.delete(online.deployment_path(endpoint, deployment))
    except AzureNotFound:
        return
