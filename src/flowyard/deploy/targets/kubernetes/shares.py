"""Which deployment gets which share of an endpoint's requests, read and changed in one request."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard._util.printable import printable_text
from flowyard.deploy.targets.kubernetes.client import KubernetesClient
from flowyard.deploy.targets.kubernetes.manifests import Manifest, route_shares, service_shares
from flowyard.deploy.targets.kubernetes.names import DEPLOYMENT, NOBODY, TRAFFIC_MANAGER, selector
from flowyard.deploy.targets.kubernetes.pods import ready_pods
from flowyard.errors import OutsideError, UserError

__all__ = ["change_shares", "require_shares", "shares_of"]


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
    """Give them, all at once, and wait until the cluster follows. Raises OutsideError when it does not."""
    if is_route:
        made = client.apply(route_shares(endpoint, shares), TRAFFIC_MANAGER)
        generation = int(made["metadata"].get("generation", 0))
        followed = client.patience.wait_until(lambda: _route_follows(client, endpoint, generation), _follow_s(client))
    else:
        chosen = next((name for name, share in shares.items() if share), None)
        client.apply(service_shares(endpoint, chosen), TRAFFIC_MANAGER)
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
