"""One web app in the management API: what is read of it, and what is changed, with patience while it is busy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from flowyard.azure import ArmClient, ArmReply, AzureCloud, AzureConflict, AzureNotFound, TokenProvider, open_http
from flowyard.azure.http import AzureHttp
from flowyard.azure.patience import Patience
from flowyard.deploy.targets.azure_webapp.place import WebappPlace

__all__ = ["WEB_VERSION", "WebApi", "open_api"]

WEB_VERSION = "2024-11-01"
"""The stable version of the API of App Service that everything here keeps to."""

IDENTITY_VERSION = "2023-01-31"
GROUP_VERSION = "2021-04-01"
_ROLE = "Website Contributor"
_BUSY = "operation is in progress"


class WebApi:
    """``slot`` None is production. Raises AzureNotFound, AzureDenied and the like; what is busy is tried again."""

    def __init__(self, http: AzureHttp, cloud: AzureCloud, tokens: TokenProvider, place: WebappPlace) -> None:
        self.place = place
        self.patience = http.patience
        self._arm = ArmClient(http, cloud, tokens, api_version=WEB_VERSION, role=_ROLE)
        self._groups = ArmClient(http, cloud, tokens, api_version=GROUP_VERSION, role="Reader")
        self._identities = ArmClient(http, cloud, tokens, api_version=IDENTITY_VERSION, role="Reader")

    async def plan(self) -> Mapping[str, Any] | None:
        return await self._found(self.place.plan_path)

    async def site(self) -> Mapping[str, Any] | None:
        return await self._found(self.place.path())

    async def slots(self) -> Sequence[Mapping[str, Any]]:
        """The slots besides production, each with its short name."""
        found = self._arm.iter_items(f"{self.place.path()}/slots")
        return [{**each, "name": str(each.get("name", "")).rpartition("/")[2]} async for each in found]

    async def region(self) -> str:
        """The region of the resource group."""
        return str((await self._groups.get(self.place.group_path)).get("location") or "")

    async def client_of(self, identity: str) -> str:
        """The client id of a user-assigned identity."""
        properties = (await self._identities.get(identity)).get("properties")
        return str((properties or {}).get("clientId") or "")

    async def settings(self, slot: str | None) -> dict[str, str]:
        """The app settings; references as they are written."""
        reply = await self._arm.post(f"{self.place.path(slot)}/config/appsettings/list", repeatable=True)
        return {str(name): str(value) for name, value in (reply.body.get("properties") or {}).items()}

    async def unresolved(self, slot: str | None) -> dict[str, str]:
        """Settings whose reference to a key vault leads nowhere, with why."""
        path = f"{self.place.path(slot)}/config/configreferences/appsettings"
        found = {}
        async for each in self._arm.iter_items(path):
            status = str((each.get("properties") or {}).get("status") or "")
            if status not in ("Resolved", "Initialized", ""):
                found[str(each.get("name", "")).rpartition("/")[2]] = status
        return found

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        """Rules of production that give percents of its requests to slots."""
        properties = (await self._arm.get(f"{self.place.path()}/config/web")).get("properties") or {}
        return list((properties.get("experiments") or {}).get("rampUpRules") or [])

    async def log(self, slot: str | None) -> str:
        return await self._arm.post_text(f"{self.place.path(slot)}/containerlogs")

    async def put_plan(self, body: Mapping[str, Any]) -> None:
        await self._busy_patiently(lambda: self._arm.put(self.place.plan_path, body))

    async def put(self, slot: str | None, body: Mapping[str, Any]) -> None:
        await self._busy_patiently(lambda: self._arm.put(self.place.path(slot), body))

    async def put_config(self, slot: str | None, name: str, body: Mapping[str, Any]) -> None:
        """``name`` is ``logs``, ``appsettings`` or ``slotConfigNames``; what is there is replaced."""
        await self._busy_patiently(lambda: self._arm.put(f"{self.place.path(slot)}/config/{name}", body))

    async def put_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        body = {"properties": {"experiments": {"rampUpRules": list(rules)}}}
        await self._busy_patiently(lambda: self._arm.patch(f"{self.place.path()}/config/web", body))

    async def slot_names(self) -> Sequence[str]:
        """Names of settings that stay with their slot."""
        found = await self._arm.get(f"{self.place.path()}/config/slotConfigNames")
        return list((found.get("properties") or {}).get("appSettingNames") or [])

    async def act(self, slot: str | None, action: str) -> None:
        """``start``, ``stop`` or ``restart``."""
        await self._busy_patiently(lambda: self._arm.post(f"{self.place.path(slot)}/{action}", repeatable=True))

    async def swap(self, slot: str) -> None:
        """Exchange a slot with production, once; after a lost answer, whether it was done is not known."""
        await self._arm.post(f"{self.place.path()}/slotsswap", {"targetSlot": slot, "preserveVnet": True})

    async def delete(self, slot: str | None, *, with_plan: bool = False) -> None:
        """``with_plan``: the plan goes, too, if no other app is in it."""
        query = {"deleteEmptyServerFarm": "true" if with_plan else "false"} if slot is None else None
        await self._busy_patiently(lambda: self._arm.delete(self.place.path(slot), query))

    async def until_idle(self) -> None:
        """Wait while an operation of the site is going on, such as a swap that a killed process began."""
        start, wait_s = self.patience.clock(), self.patience.poll_s
        while self.patience.clock() - start < self.patience.operation_s:
            site = await self.site()
            if site is None or not (site.get("properties") or {}).get("inProgressOperationId"):
                return
            await self.patience.sleep(wait_s)
            wait_s = min(self.patience.longest_poll_s, wait_s * 1.5)

    async def pause(self) -> None:
        """Some seconds before looking again at what goes on in Azure."""
        await self.patience.sleep(self.patience.longest_poll_s)

    async def _found(self, path: str) -> Mapping[str, Any] | None:
        try:
            return await self._arm.get(path)
        except AzureNotFound:
            return None

    async def _busy_patiently(self, change: Callable[[], Awaitable[ArmReply]]) -> ArmReply:
        """A site refuses changes while another operation of it goes on, which may take minutes."""
        start, wait_s = self.patience.clock(), self.patience.poll_s
        while True:
            try:
                return await change()
            except AzureConflict as error:
                late = self.patience.clock() - start > self.patience.operation_s
                if not is_busy(error) or late:
                    raise
            await self.patience.sleep(wait_s)
            wait_s = min(self.patience.longest_poll_s, wait_s * 1.5)


def is_busy(error: AzureConflict) -> bool:
    """Whether it was refused only because something else is going on."""
    return _BUSY in error.message


@asynccontextmanager
async def open_api(
    cloud: AzureCloud, tokens: TokenProvider, place: WebappPlace, patience: Patience
) -> AsyncIterator[WebApi]:
    """The API of one web app until the context ends."""
    async with open_http(cloud, patience) as http:
        yield WebApi(http, cloud, tokens, place)
