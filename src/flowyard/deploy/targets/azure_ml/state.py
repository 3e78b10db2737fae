"""What Azure ML says of an endpoint, as every target says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from flowyard.deploy.model import Deployment, DeploymentState, EndpointState
from flowyard.deploy.targets.azure_ml.bodies import DIGEST, VERSION
from flowyard.deploy.targets.azure_ml.shares import traffic_of
from flowyard.errors import OutsideError

__all__ = ["base_address", "endpoint_state"]

_STATES: Mapping[str, tuple[DeploymentState, str]] = {
    "succeeded": ("ready", ""),
    "creating": ("creating", ""),
    "updating": ("ready", "It is being changed."),
    "scaling": ("ready", "It is being scaled."),
    "failed": ("failed", "Azure says Failed: flowyard deploy logs shows what it wrote."),
    "canceled": ("failed", "Making it was canceled."),
    "deleting": ("stopped", "It is being deleted."),
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def endpoint_state(name: str, endpoint: Mapping[str, Any], deployments: Sequence[Mapping[str, Any]]) -> EndpointState:
    """From the two answers: of the endpoint, and of the list of its deployments."""
    shares = traffic_of(endpoint)
    found = tuple(_deployment(each, shares) for each in deployments)
    return EndpointState(name, found, base_address(endpoint))


def base_address(endpoint: Mapping[str, Any]) -> str | None:
    """Where it answers, without the route. Raises OutsideError for an address that a key must not be sent to."""
    uri = endpoint["properties"].get("scoringUri")
    if not uri:
        return None
    parts = urlsplit(str(uri))
    is_managed = not endpoint["properties"].get("compute")
    if parts.scheme != "https" and (is_managed or parts.scheme != "http") and parts.hostname not in _LOOPBACK:
        raise OutsideError(f"The endpoint answers at {parts.scheme}://{parts.hostname}, to which no key is sent.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/score')}"


def _deployment(item: Mapping[str, Any], shares: Mapping[str, int]) -> Deployment:
    name, fields = str(item["name"]), item["properties"]
    known = fields.get("properties") or {}
    said = str(fields.get("provisioningState") or "Succeeded")
    state, why = _STATES.get(said.lower(), ("creating", f"Azure says {said[:40]}."))
    label = str(known.get(VERSION) or f"unknown:{name}")
    return Deployment(name, label, str(known.get(DIGEST) or ""), shares.get(name, 0), state, None, why)
