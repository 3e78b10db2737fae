"""What a web app has: its slots, which deployment each has, and who gets requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowyard.deploy.model import Traffic
from flowyard.deploy.targets.azure_webapp.app_settings import Facts, read_facts
from flowyard.deploy.targets.azure_webapp.bodies import OWNER_TAG
from flowyard.deploy.targets.azure_webapp.place import SLOT_NAMES
from flowyard.deploy.targets.azure_webapp.web_api import WebApi
from flowyard.errors import Conflict

__all__ = ["SlotSeen", "WebappSeen", "look", "require_ours"]


@dataclass(frozen=True, slots=True, eq=False)
class SlotSeen:
    """One slot; ``slot`` is None for production. ``percent`` is its share of the requests, if it runs."""

    slot: str | None
    host: str
    runs: bool
    facts: Facts | None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    percent: int = 0

    @property
    def address(self) -> str:
        return f"https://{self.host}"


@dataclass(frozen=True, slots=True)
class WebappSeen:
    """``production`` is None when there is no web app."""

    production: SlotSeen | None = None
    others: tuple[SlotSeen, ...] = ()

    @property
    def slots(self) -> tuple[SlotSeen, ...]:
        return (self.production, *self.others) if self.production else ()

    @property
    def traffic(self) -> Traffic:
        """Who gets the requests; App Service sends no copies of them."""
        return Traffic.of({each.facts.name: each.percent for each in self.slots if each.facts}, {})

    def find(self, deployment: str) -> SlotSeen | None:
        """The slot that has the deployment now."""
        return next((each for each in self.slots if each.facts and each.facts.name == deployment), None)

    def free_slot(self, at_most: int) -> str | None:
        """The name of a slot that has no deployment of ours, or could be made."""
        taken = {each.slot for each in self.others if each.facts or each.slot not in SLOT_NAMES}
        if sum(1 for each in self.others if each.slot not in SLOT_NAMES) >= at_most:
            return None
        return next((name for name in SLOT_NAMES[:at_most] if name not in taken), None)


async def look(api: WebApi) -> WebappSeen:
    """What is there now; reads only. Raises Conflict for a web app that is not ours."""
    site = await api.site()
    if site is None:
        return WebappSeen()
    require_ours(api, site)
    rules, slots = await asyncio.gather(api.rules(), api.slots())
    settings = await asyncio.gather(*(api.settings(name) for name in (None, *(each["name"] for each in slots))))
    rerouted = {str(rule.get("actionHostName")): round(float(rule.get("reroutePercentage") or 0)) for rule in rules}
    serves = _runs(site)
    others = tuple(
        _seen(each, each["name"], own, rerouted.get(_host(each), 0) if serves else 0)
        for each, own in zip(slots, settings[1:], strict=True)
    )
    left = 100 - sum(each.percent for each in others) if serves else 0
    return WebappSeen(_seen(site, None, settings[0], left), others)


def require_ours(api: WebApi, site: Mapping[str, Any]) -> None:
    """Raises Conflict for a web app that something else made: its production would be swapped away."""
    if (site.get("tags") or {}).get(OWNER_TAG) == api.place.name:
        return
    raise Conflict(
        f"There is a web app {api.place.name} that flowyard did not make.",
        hint="Choose another 'endpoint'; or hand it over, if nothing else deploys to it: "
        f"az webapp update --name {api.place.name} --resource-group {api.place.group} "
        f"--set tags.{OWNER_TAG}={api.place.name}",
    )


def _seen(body: Mapping[str, Any], name: str | None, settings: Mapping[str, str], percent: int) -> SlotSeen:
    return SlotSeen(name, _host(body), _runs(body), read_facts(settings), settings, percent)


def _host(body: Mapping[str, Any]) -> str:
    return str((body.get("properties") or {}).get("defaultHostName") or "")


def _runs(body: Mapping[str, Any]) -> bool:
    return str((body.get("properties") or {}).get("state") or "").lower() == "running"
