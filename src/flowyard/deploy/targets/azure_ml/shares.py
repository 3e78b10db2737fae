"""Changing who gets the requests: read, change, write, and look again, for others may do the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.azure import AzureConflict
from flowyard.deploy.model import Traffic
from flowyard.deploy.targets.azure_ml.bodies import changed_endpoint
from flowyard.deploy.targets.azure_ml.online import Online
from flowyard.deploy.targets.azure_ml.rules import require_shares
from flowyard.errors import Conflict, NotFound

__all__ = ["mirror_of", "traffic_of", "write_shares"]

_MOST_ROUNDS = 5


async def write_shares(
    online: Online,
    endpoint: str,
    traffic: Mapping[str, int],
    mirror: Mapping[str, int] | None = None,
    seen: Traffic | None = None,
) -> None:
    """Give each deployment its share; ``mirror`` None keeps the copies that go to one without a share of its own.

    Raises UserError and NotFound for shares that cannot be, and Conflict when somebody else changed them meanwhile,
    since they were ``seen`` or else since this began: then theirs hold.
    """
    first = seen
    for attempt in range(1, _MOST_ROUNDS + 1):
        found = await online.arm.settled(online.endpoint_path(endpoint))
        if found is None:
            raise NotFound(f"There is no endpoint {endpoint}.", hint="flowyard deploy apply USECASE --env E")
        before = Traffic(traffic_of(found), mirror_of(found))
        first = before if first is None else first
        wanted = {name: share for name, share in traffic.items() if share}
        kept = _kept(before.mirror, wanted) if mirror is None else dict(mirror)
        names = {str(each["name"]) for each in await online.deployments(endpoint)}
        require_shares(traffic, kept, names)
        if before == Traffic(wanted, kept):
            return
        if before != first:
            raise _changed(endpoint, before)
        try:
            await online.arm.put(
                online.endpoint_path(endpoint), changed_endpoint(found, wanted, kept), **_condition(found)
            )
        except AzureConflict:
            await online.arm.pause(attempt)
            continue  # an operation goes on, or somebody was first: looked at above
        after = await online.arm.settled(online.endpoint_path(endpoint))
        if after is None or traffic_of(after) != wanted:
            raise _changed(endpoint, Traffic(traffic_of(after), mirror_of(after)) if after else Traffic())
        return
    raise Conflict(f"The shares of {endpoint} are being changed by somebody else.", hint="Run the command again.")


def traffic_of(endpoint: Mapping[str, Any]) -> dict[str, int]:
    """Percent by deployment, without those that get none."""
    return {name: int(share) for name, share in (endpoint["properties"].get("traffic") or {}).items() if share}


def mirror_of(endpoint: Mapping[str, Any]) -> dict[str, int]:
    """Percent of the requests that a deployment gets copies of."""
    return {name: int(share) for name, share in (endpoint["properties"].get("mirrorTraffic") or {}).items() if share}


def _kept(mirror: Mapping[str, int], traffic: Mapping[str, int]) -> dict[str, int]:
    """Nobody gets copies who gets requests, and without requests there is nothing to copy."""
    return {name: share for name, share in mirror.items() if traffic and name not in traffic}


def _condition(found: Mapping[str, Any]) -> dict[str, str]:
    """Only if nobody changed it: where the service gives a mark of what was read."""
    etag = found.get("etag")
    return {"if_match": str(etag)} if etag else {}


def _changed(endpoint: str, now: Traffic) -> Conflict:
    return Conflict(
        f"Somebody else changed the shares of {endpoint} meanwhile: {now}.",
        hint="flowyard deploy status USECASE --env E shows them; deploy again if that is still what you want.",
    )
