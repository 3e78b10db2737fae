"""What objects are called, and the labels by which they are found again."""

from __future__ import annotations

import re

from flowyard.deploy.model import WantedDeployment
from flowyard.errors import UserError

__all__ = [
    "DEPLOYMENT",
    "DIGEST",
    "ENDPOINT",
    "MANAGED",
    "NOBODY",
    "TRAFFIC_MANAGER",
    "VERSION",
    "key_secret",
    "labels",
    "object_name",
    "own_labels",
    "require_name",
    "selector",
]

ENDPOINT = "flowyard.endpoint"
DEPLOYMENT = "flowyard.deployment"
VERSION = "flowyard.version"
DIGEST = "flowyard.digest"
MANAGED = "flowyard"
"""Who owns the fields that we set."""
TRAFFIC_MANAGER = "flowyard-traffic"
"""Who owns the shares, so that making an endpoint again never changes them."""
NOBODY = "none"
"""The deployment that an endpoint without requests selects; no deployment is called so."""

_ENDPOINT = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")
_DEPLOYMENT = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")
_NOT_IN_LABEL = re.compile(r"[^-A-Za-z0-9_.]")


def object_name(endpoint: str, deployment: str) -> str:
    """What the objects of a deployment are called."""
    return f"{endpoint}-{deployment}"


def key_secret(endpoint: str) -> str:
    """The Secret with the key that requests to the endpoint need; its key is ``key``."""
    return f"{endpoint}-key"


def require_name(wanted: WantedDeployment) -> None:
    """Raises UserError for names that a cluster does not take."""
    if not _ENDPOINT.fullmatch(wanted.endpoint):
        raise UserError(
            f"{wanted.endpoint!r} cannot be the name of an endpoint in Kubernetes: only small letters, digits and '-'.",
            hint="Set 'endpoint' in deployment.yaml.",
        )
    if not _DEPLOYMENT.fullmatch(wanted.name) or wanted.name in (NOBODY, "key"):
        raise UserError(f"{wanted.name!r} cannot be the name of a deployment in Kubernetes.")


def selector(endpoint: str, deployment: str) -> dict[str, str]:
    """The labels that the pods of one deployment have and no others."""
    return {ENDPOINT: endpoint, DEPLOYMENT: deployment}


def own_labels(endpoint: str) -> dict[str, str]:
    """The labels of what belongs to the endpoint itself."""
    return {"app.kubernetes.io/managed-by": MANAGED, "app.kubernetes.io/instance": endpoint, ENDPOINT: endpoint}


def labels(wanted: WantedDeployment) -> dict[str, str]:
    """The labels of what belongs to one deployment."""
    name, _, version = wanted.version_label.partition(":")
    return {
        **own_labels(wanted.endpoint),
        "app.kubernetes.io/name": _label(name),
        "app.kubernetes.io/version": _label(version),
        DEPLOYMENT: wanted.name,
    }


def _label(text: str) -> str:
    return _NOT_IN_LABEL.sub("-", text)[:63].strip("-_.")
