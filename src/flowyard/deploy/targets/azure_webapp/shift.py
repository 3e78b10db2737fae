"""Who gets the requests: production by swapping slots, parts of them by rules of production.

A slot's rules stay where they are in a swap, so they go before one and come back after it. Whatever is looked at in
between, the shares add up to 0 or 100. A swap that is sent twice would undo itself: each time, it is first looked up
where the deployment is.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.azure import AzureConflict, AzureError
from flowyard.deploy.model import Traffic
from flowyard.deploy.targets.azure_webapp.look import SlotSeen, WebappSeen, look
from flowyard.deploy.targets.azure_webapp.place import SLOT_NAMES
from flowyard.deploy.targets.azure_webapp.web_api import WebApi, is_busy
from flowyard.errors import Conflict, NotFound, UserError

__all__ = ["give_shares", "give_traffic", "require_traffic"]

_TRIES = 20
"""With pauses of some seconds between them, where something else was going on."""


async def give_shares(api: WebApi, shares: Mapping[str, int]) -> None:
    """Give each deployment its percent; ``shares`` add up to 0 or 100. Raises NotFound for one that is not there."""
    wanted = {name: share for name, share in shares.items() if share}
    seen = await look(api)
    for name in wanted:
        _require(api, seen, name)
    if seen.production is None:
        return
    if not wanted:
        await _stop(api, seen)
        return
    main = _main_of(seen, wanted)
    if seen.production.facts is None or seen.production.facts.name != main:
        await _set_rules(api, {})
        if not seen.production.runs:
            await api.act(None, "start")
        seen = await _bring_to_production(api, main)
    others = {name: share for name, share in wanted.items() if name != main}
    await _set_rules(api, {_require(api, seen, name): share for name, share in others.items()})
    if seen.production is not None and not seen.production.runs:
        await api.act(None, "start")
    await _tidy(api, seen)


def require_traffic(wanted: Traffic) -> None:
    """Raises UserError for copies of requests, which App Service sends none of, and for shares that cannot be."""
    if wanted.mirror:
        hint = "Leave out --mirror, or put `flowyard gateway` in front, which sends copies."
        raise UserError("App Service sends no copies of requests.", hint=hint)
    if sum(wanted.shares.values()) not in (0, 100) or any(share < 0 for share in wanted.shares.values()):
        raise UserError(f"Shares are 0 or more and add up to 0 or 100, not {dict(wanted.shares)}.")


async def give_traffic(api: WebApi, wanted: Traffic, seen: Traffic) -> None:
    """The same, if they are still given as ``seen``. Raises Conflict, and what ``require_traffic`` does."""
    require_traffic(wanted)
    await api.until_idle()
    now = (await look(api)).traffic
    if now not in (seen, wanted):
        raise _changed(api, now)
    await give_shares(api, wanted.shares)
    now = (await look(api)).traffic
    if now != wanted:
        raise _changed(api, now)


def _changed(api: WebApi, now: Traffic) -> Conflict:
    return Conflict(
        f"Somebody else changed the traffic of {api.place.name} meanwhile: {now}.",
        hint="flowyard deploy traffic USECASE --env E shows it; give the command again if you still want it.",
    )


def _main_of(seen: WebappSeen, wanted: Mapping[str, int]) -> str:
    """Who is in production: the one that is there already, if it goes on; else the one with most."""
    production = seen.production
    if production and production.facts and production.facts.name in wanted:
        return production.facts.name
    return max(wanted, key=lambda name: wanted[name])


async def _stop(api: WebApi, seen: WebappSeen) -> None:
    """Nobody gets requests: what stands in production answers nothing."""
    if seen.production is not None and seen.production.runs:
        await api.act(None, "stop")
    await _set_rules(api, {})


async def _bring_to_production(api: WebApi, deployment: str) -> WebappSeen:
    """Swap until the deployment is in production, and not once more. Raises AzureError when it does not get there."""
    problem: AzureError | None = None
    for _ in range(_TRIES):
        await api.until_idle()
        seen = await look(api)
        slot = _require(api, seen, deployment)
        if slot.slot is None:
            return seen
        try:
            await api.swap(slot.slot)
        except AzureConflict as error:
            problem = error
            if not is_busy(error):
                raise
            await api.pause()
        except AzureError as error:
            problem = error
            if not _may_have_happened(error):
                raise
            await api.pause()
    seen = await look(api)
    if _require(api, seen, deployment).slot is None:
        return seen
    raise problem or AzureError(f"The swap of {api.place.name} did not bring {deployment} to production.")


def _may_have_happened(error: AzureError) -> bool:
    """Whether the error leaves open what became of it; an operation that Azure says has failed does not."""
    return (error.status is None and not error.code) or (error.status or 0) >= 500


async def _set_rules(api: WebApi, rules: Mapping[SlotSeen, int]) -> None:
    """Percents of production's requests that go to slots; only changed where they differ."""
    now = {str(rule.get("actionHostName")): float(rule.get("reroutePercentage") or 0) for rule in await api.rules()}
    if now == {slot.host: float(share) for slot, share in rules.items()}:
        return
    await api.put_rules(
        [
            {"name": slot.slot, "actionHostName": slot.host, "reroutePercentage": float(share)}
            for slot, share in rules.items()
        ]
    )


async def _tidy(api: WebApi, seen: WebappSeen) -> None:
    """Take away slots of ours in which nothing is: the production that was made before its first deployment."""
    from_us = [each for each in seen.others if each.facts is None and each.slot in SLOT_NAMES]
    for each in from_us:
        await api.delete(each.slot)


def _require(api: WebApi, seen: WebappSeen, deployment: str) -> SlotSeen:
    found = seen.find(deployment)
    if found is None:
        raise NotFound(f"The web app {api.place.name} has no deployment {deployment}.")
    return found
