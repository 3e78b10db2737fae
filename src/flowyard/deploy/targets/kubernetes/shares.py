"""Which deployment gets which share of an endpoint's requests, read and changed in one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard._util.printable import printable_text
from flowyard.deploy.model import Traffic
from flowyard.deploy.targets.kubernetes.client import ChangedMeanwhile, KubernetesClient
from flowyard.deploy.targets.kubernetes.manifests import Manifest, route_shares, service_shares
from flowyard.deploy.targets.kubernetes.names import DEPLOYMENT, NOBODY, TRAFFIC_MANAGER, selector
from flowyard.deploy.targets.kubernetes.pods import ready_pods
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

__all__ = ["change_shares", "change_traffic", "require_shares", "require_traffic", "shares_of", "traffic_of"]

_MOST_ROUNDS = 10


def require_shares(shares: Mapping[str, int], *, can_split: bool) -> None:
    """Raises UserError for shares that no endpoint can have, or not this one."""
    given = ", ".join(f"{name}={share}" for name, share in shares.items())
    if any(not 0 <= share <= 100 for share in shares.values()) or sum(shares.values()) not in (0, 100):
        raise UserError(f"Shares add up to 100, or there are none: {given}.")
    if not can_split and any(share not in (0, 100) for share in shares.values()):
        raise UserError(
            f"A Service gives all requests to one deployment; it cannot split them: {given}.",
            hint="Put the endpoint behind a Gateway: options: {route: {gateway: NAME}, address: URL}, or traffic: 100",
        )


def require_traffic(wanted: Traffic, *, can_split: bool) -> None:
    """Raises UserError for what no endpoint can have, or not this one."""
    require_shares(wanted.shares, can_split=can_split)
    if wanted.mirror and not can_split:
        raise UserError(
            "A Service sends no copies of requests.",
            hint="Put the endpoint behind a Gateway: options: {route: {gateway: NAME}, address: URL}",
        )
    if any(not 0 < percent <= 100 for percent in wanted.mirror.values()):
        raise UserError(f"A deployment gets copies of 1 to 100 percent of the requests: {dict(wanted.mirror)}.")


def traffic_of(endpoint: Manifest | None, prefix: str) -> Traffic:
    """The same as ``shares_of`` with the copies of requests that an HTTPRoute sends."""
    rules = ((endpoint or {}).get("spec") or {}).get("rules") or []
    filters = [each["requestMirror"] for rule in rules for each in rule.get("filters") or [] if "requestMirror" in each]
    mirror = {str(each["backendRef"]["name"]).removeprefix(prefix): _percent(each) for each in filters}
    return Traffic.of(shares_of(endpoint, prefix), mirror)


def _percent(mirror: Mapping[str, Any]) -> int:
    """As somebody else may have written it, too; all requests when nothing is said."""
    fraction = mirror.get("fraction") or {}
    if fraction:
        return round(100 * int(fraction["numerator"]) / int(fraction.get("denominator", 100)))
    return int(mirror.get("percent", 100))


def shares_of(endpoint: Manifest | None, prefix: str) -> dict[str, int]:
    """The shares that the endpoint's Service or HTTPRoute says; ``prefix`` is what deployments' Services begin with."""
    if endpoint is None:
        return {}
    spec = endpoint.get("spec") or {}
    if endpoint.get("kind") != "HTTPRoute":
        chosen = (spec.get("selector") or {}).get(DEPLOYMENT, NOBODY)
        return {} if chosen == NOBODY else {str(chosen): 100}
    behind = [each for rule in spec.get("rules") or [] for each in rule.get("backendRefs") or []]
    found = {str(each["name"]).removeprefix(prefix): int(each.get("weight", 1)) for each in behind}
    return {name: weight for name, weight in found.items() if weight}


def change_shares(client: KubernetesClient, endpoint: str, shares: Mapping[str, int], *, is_route: bool) -> None:
    """Give them, all at once, and wait until the cluster follows. Raises OutsideError when it does not.

    A deployment that gets copies goes on to get them, as long as it gets no requests and somebody does.
    """
    mirror: Mapping[str, int] = {}
    if is_route and any(shares.values()):
        now = traffic_of(client.get("HTTPRoute", endpoint), f"{endpoint}-").mirror
        mirror = {name: percent for name, percent in now.items() if not shares.get(name)}
    made = client.apply(_manifest(endpoint, shares, mirror, is_route=is_route), TRAFFIC_MANAGER)
    _wait_until_followed(client, endpoint, shares, made, is_route=is_route)


def change_traffic(client: KubernetesClient, endpoint: str, wanted: Traffic, seen: Traffic, *, is_route: bool) -> None:
    """The same, copies and all, if the requests are still given as ``seen``. Raises Conflict when they are not.

    The object's ``resourceVersion`` goes along, so that of two deployers one is refused. It changes with whatever
    becomes of the object, such as its status: then it is looked at again.
    """
    kind = "HTTPRoute" if is_route else "Service"
    for _ in range(_MOST_ROUNDS):
        found = client.get(kind, endpoint)
        if found is None:
            raise NotFound(f"There is no endpoint {endpoint}.", hint="flowyard deploy apply USECASE --env E")
        now = traffic_of(found, f"{endpoint}-")
        if now not in (seen, wanted):
            raise Conflict(
                f"Somebody else changed the traffic of {endpoint} meanwhile: {now}.",
                hint="flowyard deploy traffic USECASE --env E shows it; give the command again if you still want it.",
            )
        made = found
        if now != wanted:
            manifest = _manifest(endpoint, wanted.shares, wanted.mirror, is_route=is_route)
            manifest["metadata"]["resourceVersion"] = str(found["metadata"].get("resourceVersion", ""))
            try:
                made = client.apply(manifest, TRAFFIC_MANAGER)
            except ChangedMeanwhile:
                continue
        _wait_until_followed(client, endpoint, wanted.shares, made, is_route=is_route)
        return
    raise Conflict(f"The traffic of {endpoint} is being changed by somebody else.", hint="Run the command again.")


def _manifest(endpoint: str, shares: Mapping[str, int], mirror: Mapping[str, int], *, is_route: bool) -> Manifest:
    return route_shares(endpoint, shares, mirror) if is_route else service_shares(endpoint, _chosen(shares))


def _chosen(shares: Mapping[str, int]) -> str | None:
    return next((name for name, share in shares.items() if share), None)


def _wait_until_followed(
    client: KubernetesClient, endpoint: str, shares: Mapping[str, int], made: Manifest, *, is_route: bool
) -> None:
    if is_route:
        generation = int(made["metadata"].get("generation", 0))
        followed = client.patience.wait_until(lambda: _route_follows(client, endpoint, generation), _follow_s(client))
    else:
        chosen = _chosen(shares)
        followed = client.patience.wait_until(lambda: _service_follows(client, endpoint, chosen), _follow_s(client))
    if not followed:
        raise OutsideError(
            f"The cluster did not follow the new shares of {endpoint} within {_follow_s(client):g} s.",
            hint=f"Try: kubectl get endpointslices,httproutes -n {client.namespace}, and the command again",
        )


def _follow_s(client: KubernetesClient) -> float:
    return client.patience.follow_s


def _service_follows(client: KubernetesClient, endpoint: str, chosen: str | None) -> bool:
    """Whether the addresses behind the Service are those of the chosen deployment's pods."""
    slices = client.list_all("EndpointSlice", {"kubernetes.io/service-name": endpoint})
    behind = {
        str((each.get("targetRef") or {}).get("name"))
        for slice_ in slices
        for each in slice_.get("endpoints") or []
        if (each.get("conditions") or {}).get("ready") is not False
    }
    if chosen is None:
        return not behind
    pods = client.list_all("Pod", selector(endpoint, chosen))
    own = {str(pod["metadata"]["name"]) for pod in pods}
    return behind <= own and (bool(behind) or not ready_pods(pods))


def _route_follows(client: KubernetesClient, endpoint: str, generation: int) -> bool:
    """Whether a gateway has taken the route as it is now. Raises OutsideError when it refuses it."""
    found = client.get("HTTPRoute", endpoint) or {}
    for parent in (found.get("status") or {}).get("parents") or []:
        newest = {
            str(each.get("type")): each
            for each in parent.get("conditions") or []
            if int(each.get("observedGeneration", 0)) >= generation
        }
        accepted, resolved = newest.get("Accepted"), newest.get("ResolvedRefs")
        if accepted and accepted.get("status") == "False":
            said = printable_text(f"{accepted.get('reason')}: {accepted.get('message', '')}")[:400]
            raise OutsideError(
                f"The gateway does not take the route {endpoint} ({said})",
                hint="Check 'gateway', 'namespace' and 'listener' of the route.",
            )
        if accepted and (resolved is None or resolved.get("status") == "True"):
            return True
    return False
