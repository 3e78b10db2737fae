"""Making the web app with its plan, and deployments in slots of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.app_settings import deployment_settings
from flowyard.deploy.targets.azure_webapp.bodies import container_of, logs_body, plan_body, site_body
from flowyard.deploy.targets.azure_webapp.look import WebappSeen, look, require_ours
from flowyard.deploy.targets.azure_webapp.place import slots_of_sku
from flowyard.deploy.targets.azure_webapp.web_api import WebApi
from flowyard.errors import Conflict, UserError

__all__ = ["Maker", "require_slots"]


def require_slots(sku: str, place: str) -> int:
    """How many slots there are for deployments. Raises UserError for a plan without any."""
    count = slots_of_sku(sku)
    if not count:
        raise UserError(
            f"The plan {place} has the sku {sku}, which gives no slots, so nothing could be tested before it serves.",
            hint="Slots begin with Standard: sku: S1 or P0v3. For cheap trials, use the target docker or local.",
        )
    return count


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes one deployment. ``environ`` is where the key of requests comes from."""

    api: WebApi
    options: AzureWebappOptions
    wanted: WantedDeployment
    environ: Mapping[str, str]

    async def require_possible(self) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """The plan and the site as they are; reads only. Raises UserError for what can never work.

        A plan is made before the image.
        """
        if self.wanted.image is not None:
            container_of(self.wanted)
        deployment_settings(self.wanted, self.options, self.environ)
        plan, site = await self.api.plan(), await self.api.site()
        require_slots(self._sku(plan), self.api.place.plan)
        if plan is not None and not (plan.get("properties") or {}).get("reserved", True):
            raise UserError(f"The plan {self.api.place.plan} has Windows machines; containers of flows need Linux.")
        if site is not None:
            require_ours(self.api, site)
        return plan, site

    async def ensure_endpoint(self) -> None:
        """The plan and the web app, which is stopped at first: nobody serves yet."""
        plan, site = await self.require_possible()
        region = str((plan or {}).get("location") or self.options.region or "") or await self.api.region()
        if plan is None:
            body = plan_body(self.api.place.name, region, self._sku(None), self.wanted.instances)
            await self.api.put_plan(body)
        sticky = self.options.slot_settings
        if site is None:
            await self.api.put(None, await self._body(region, sticky.production, runs=False))
        await self._ensure_sticky(await look(self.api))

    async def make(self, seen: WebappSeen) -> str:
        """Make the deployment in a free slot, and start it there; returns the slot. Raises Conflict without one."""
        plan = await self.api.plan()
        slot = seen.free_slot(require_slots(self._sku(plan), self.api.place.plan))
        if slot is None:
            raise Conflict(
                f"All slots of the web app {self.api.place.name} have deployments.",
                hint="Take one away: flowyard deploy remove USECASE --env E --deployment NAME",
            )
        settings = deployment_settings(self.wanted, self.options, self.environ)
        region = str((plan or {}).get("location") or "")
        body = await self._body(region, {**settings, **self.options.slot_settings.next}, runs=True)
        await self.api.put(slot, body)
        await self.api.put_config(slot, "logs", logs_body())
        return slot

    async def _body(self, region: str, settings: Mapping[str, str], *, runs: bool) -> dict[str, Any]:
        place = self.api.place
        client = await self.api.client_of(place.identity) if place.identity else None
        container = container_of(self.wanted)
        identity = (place.identity, client)
        return site_body(place.name, region, place.plan_path, identity, container, settings, runs=runs)

    async def _ensure_sticky(self, seen: WebappSeen) -> None:
        """Settings that stay with production, and their names; what else stays there is left as it is."""
        sticky = self.options.slot_settings
        names = sorted({*sticky.production, *sticky.next})
        now = await self.api.slot_names() if names else []
        if not set(names) <= set(now):
            await self.api.put_config(
                None, "slotConfigNames", {"properties": {"appSettingNames": sorted({*now, *names})}}
            )
        own = dict(seen.production.settings) if seen.production else {}
        if {**own, **sticky.production} != own:
            await self.api.put_config(None, "appsettings", {"properties": {**own, **sticky.production}})

    def _sku(self, plan: Mapping[str, Any] | None) -> str:
        if plan is not None:
            return str((plan.get("sku") or {}).get("name") or "")
        if self.options.sku is None:
            raise UserError(
                f"There is no plan {self.api.place.plan}, and no sku to make it with.",
                hint="options: {plan: NAME} of one that is there, or options: {sku: S1} to have it made.",
            )
        return self.options.sku
