"""The target ``azure-webapp``: containers in slots of an App Service web app, by its management API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from flowyard._util.aio import run_blocking
from flowyard.abc import Target, TrafficPlatform
from flowyard.azure import AzureCloud, TokenProvider, open_tokens
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Address, Change, Deployment, DeploymentState, EndpointState, Traffic, WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.app_settings import KEY_VARIABLE, Facts, plain_secrets
from flowyard.deploy.targets.azure_webapp.bodies import OWNER_TAG, container_of
from flowyard.deploy.targets.azure_webapp.export import write_export
from flowyard.deploy.targets.azure_webapp.look import SlotSeen, WebappSeen, look
from flowyard.deploy.targets.azure_webapp.make import Maker
from flowyard.deploy.targets.azure_webapp.place import find_place
from flowyard.deploy.targets.azure_webapp.ready import NO_RULES, answers, failed_starts, last_words, why_not_ready
from flowyard.deploy.targets.azure_webapp.shift import give_shares, give_traffic, require_traffic
from flowyard.deploy.targets.azure_webapp.web_api import WebApi, open_api
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

__all__ = ["AzureWebappTarget"]

Result = TypeVar("Result")


class AzureWebappTarget(Target, TrafficPlatform):
    """The production slot is the endpoint, each deployment is in a slot, and swaps and rules give them requests."""

    label = "azure-webapp"
    needs_image = True
    keeps_clients = True
    changes_at_once = False

    def __init__(
        self,
        home: Path,
        environ: Mapping[str, str],
        options: AzureWebappOptions,
        *,
        tokens: TokenProvider | None = None,
        patience: Patience | None = None,
    ) -> None:
        del home  # everything is in Azure
        self._environ = dict(environ)
        self._options = options
        self._cloud = AzureCloud.read(environ)
        self._tokens = tokens or open_tokens(environ)
        self._patience = patience or Patience()

    def plan(self, wanted: WantedDeployment) -> Sequence[Change]:
        return self._run(wanted.endpoint, lambda api: self._plan(self._maker(api, wanted)))

    def warnings(self, wanted: WantedDeployment) -> Sequence[str]:
        names = plain_secrets(wanted, self._options, self._environ)
        said = [
            f"{name} will be a plain app setting, which whoever manages the app can read. From a key vault: "
            f"options: {{key_vault: NAME, secrets: {{{name}: SECRET}}}}"
            for name in names
        ]
        if not self._environ.get(KEY_VARIABLE):
            said.append(f"{KEY_VARIABLE} is not in the environment: the endpoint test cannot send it.")
        if wanted.cpu or wanted.memory_mb:
            said.append("cpu and memory mean nothing in App Service: the plan's sku says what there is.")
        if wanted.instances > 1:
            said.append(
                "instances count only when the plan is made: they belong to the plan, which may have other apps."
            )
        return said

    def apply(self, wanted: WantedDeployment) -> Deployment:
        return self._run(wanted.endpoint, lambda api: self._apply(self._maker(api, wanted)))

    def status(self, endpoint: str) -> EndpointState:
        return self._run(endpoint, lambda api: self._status(api, endpoint))

    @contextmanager
    def reach(self, endpoint: str, deployment: str | None = None) -> Iterator[Address]:
        seen = self._run(endpoint, look)
        slot = seen.production if deployment is None else seen.find(deployment)
        if slot is None:
            what = f"a deployment {deployment}" if deployment else "an endpoint"
            raise NotFound(f"There is no web app {endpoint} with {what}.", hint="flowyard deploy apply USECASE --env E")
        key = self._environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if deployment is not None and slot.slot is None:
            headers |= NO_RULES
        yield Address(slot.address, headers)

    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        if sum(shares.values()) not in (0, 100) or any(share < 0 for share in shares.values()):
            raise UserError(f"Shares are 0 or more and add up to 0 or 100, not {dict(shares)}.")
        self._run(endpoint, lambda api: give_shares(api, shares))

    def require_possible(self, wanted: Traffic) -> None:
        require_traffic(wanted)

    def traffic(self, endpoint: str) -> Traffic:
        seen = self._run(endpoint, look)
        if seen.production is None:
            raise NotFound(f"There is no web app {endpoint}.", hint="flowyard deploy apply USECASE --env E")
        return seen.traffic

    def set_traffic(self, endpoint: str, wanted: Traffic, seen: Traffic) -> None:
        """See TrafficPlatform. App Service documents no condition for its rules: who gets requests is read before and
        after, and of two who write between these, the last one wins.
        """
        self._run(endpoint, lambda api: give_traffic(api, wanted, seen))

    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        return self._run(endpoint, lambda api: self._logs(api, deployment, lines))

    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        self._run(endpoint, lambda api: self._remove(api, deployment))

    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        place = find_place(wanted.endpoint, self._options, self._environ)
        return write_export(wanted, place, self._options, self._environ, folder)

    async def _plan(self, maker: Maker) -> Sequence[Change]:
        api, wanted, changes = maker.api, maker.wanted, []
        plan, site = await maker.require_possible()
        if plan is None:
            changes.append(Change(f"plan {api.place.plan}", None, f"{self._options.sku}, Linux"))
        if site is None:
            changes.append(Change(f"web app {api.place.name}", None, f"in {api.place.group}, plan {api.place.plan}"))
        seen = await look(api)
        for name, value in self._options.slot_settings.production.items():
            before = seen.production.settings.get(name) if seen.production else None
            if before != value:
                changes.append(Change(f"setting {name} of production", before, value))
        slot = seen.find(wanted.name)
        found = await self._deployment(slot) if slot else None
        if found is None or found.state != "ready":
            before = f"{found.version_label}, {found.state}" if found else None
            changes.append(Change(f"deployment {wanted.name}", before, wanted.version_label))
        return changes

    async def _apply(self, maker: Maker) -> Deployment:
        api, name = maker.api, maker.wanted.name
        await api.until_idle()
        slot = (await look(api)).find(name)
        if slot is not None and await answers(self._cloud, slot.address):
            return await self._deployment(slot)
        container_of(maker.wanted)
        await maker.ensure_endpoint()
        known: list[str] = []
        if slot is not None and slot.percent:
            known = failed_starts(await api.log(slot.slot))
            await api.act(slot.slot, "restart")
        elif slot is not None and await self._is_broken(slot):
            await _forget(api, slot)
            slot = None
        if slot is None:
            await maker.make(await look(api))
            slot = (await look(api)).find(name)
        if slot is None:
            raise OutsideError(f"App Service made the deployment {name}, but does not show it.")
        why = await why_not_ready(api, self._cloud, slot.slot, slot.address, self._options.start_s, known)
        if why is not None:
            raise await self._not_ready(api, slot, maker.wanted, why)
        return await self._deployment(slot)

    async def _is_broken(self, slot: SlotSeen) -> bool:
        """Whether waiting for it makes no sense any more."""
        return slot.facts is None or (await self._state(slot, slot.facts))[0] in ("stopped", "failed")

    async def _not_ready(self, api: WebApi, slot: SlotSeen, wanted: WantedDeployment, why: str) -> OutsideError:
        """Stop it, unless it serves, so that App Service does not start it for ever."""
        said = await last_words(api, slot.slot)
        if not slot.percent:
            await api.act(slot.slot, "stop")
        return OutsideError(
            f"The deployment {wanted.name} of {wanted.version_label} is not ready: {why}\n{said}",
            hint="An image that is not pulled: the identity needs the role AcrPull at the registry.",
        )

    async def _status(self, api: WebApi, endpoint: str) -> EndpointState:
        seen = await look(api)
        if seen.production is None:
            return EndpointState(endpoint)
        held = [(slot.facts.made_at, slot.facts.name, slot) for slot in seen.slots if slot.facts]
        ordered = [slot for _, _, slot in sorted(held, key=lambda each: each[:2])]
        found = await asyncio.gather(*(self._deployment(slot) for slot in ordered))
        return EndpointState(endpoint, tuple(found), seen.production.address)

    async def _deployment(self, slot: SlotSeen) -> Deployment:
        facts = slot.facts
        if facts is None:
            raise OutsideError(f"The slot {slot.slot} has no deployment any more.")
        state, why = await self._state(slot, facts)
        return Deployment(facts.name, facts.version_label, facts.digest, slot.percent, state, slot.address, why)

    async def _state(self, slot: SlotSeen, facts: Facts) -> tuple[DeploymentState, str]:
        if not slot.runs:
            return "stopped", f"The slot {slot.slot or 'production'} is stopped."
        if await answers(self._cloud, slot.address):
            return "ready", ""
        if _age_s(facts) < self._options.start_s:
            return "creating", ""
        return "failed", "It does not answer."

    async def _logs(self, api: WebApi, deployment: str, lines: int) -> Sequence[str]:
        slot = (await look(api)).find(deployment)
        if slot is None:
            raise NotFound(f"The web app {api.place.name} has no deployment {deployment}.")
        return (await api.log(slot.slot)).splitlines()[-lines:]

    async def _remove(self, api: WebApi, deployment: str | None) -> None:
        await api.until_idle()
        seen = await look(api)
        if deployment is not None:
            slot = seen.find(deployment)
            if slot is not None and slot.percent:
                raise Conflict(f"{deployment} still gets {slot.percent} % of the requests.")
            if slot is not None:
                await _forget(api, slot)
            return
        if seen.production is not None:
            await self._remove_all(api, seen)

    async def _remove_all(self, api: WebApi, seen: WebappSeen) -> None:
        """The slots first, then the web app; the plan goes if it was made here and nobody else is in it."""
        for slot in seen.others:
            await api.delete(slot.slot)
        plan = await api.plan()
        ours = plan is not None and (plan.get("tags") or {}).get(OWNER_TAG) == api.place.name
        await api.delete(None, with_plan=ours)

    def _maker(self, api: WebApi, wanted: WantedDeployment) -> Maker:
        return Maker(api, self._options, wanted, self._environ)

    def _run(self, endpoint: str, work: Callable[[WebApi], Awaitable[Result]]) -> Result:
        return run_blocking(self._work(endpoint, work))

    async def _work(self, endpoint: str, work: Callable[[WebApi], Awaitable[Result]]) -> Result:
        place = find_place(endpoint, self._options, self._environ)
        async with open_api(self._cloud, self._tokens, place, self._patience) as api:
            return await work(api)


async def _forget(api: WebApi, slot: SlotSeen) -> None:
    """Take a deployment away: its slot; of production, which stays, only what it is."""
    if slot.slot is not None:
        await api.delete(slot.slot)
        return
    names = await api.slot_names()
    kept = {name: value for name, value in slot.settings.items() if name in names}
    await api.put_config(None, "appsettings", {"properties": kept})


def _age_s(facts: Facts) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(facts.made_at)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")
