"""What is sent to App Service: the plan, the site and its slots, as the management API and templates have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.deploy.model import WantedDeployment
from flowyard.errors import UserError

__all__ = ["OWNER_TAG", "container_of", "identity_body", "logs_body", "plan_body", "site_body"]

OWNER_TAG = "flowyard-endpoint"
"""The tag of what was made here; its value is the endpoint's name."""


def container_of(wanted: WantedDeployment) -> str:
    """``DOCKER|host/name@sha256:…``. Raises UserError for an image that App Service cannot pull exactly."""
    if wanted.image is None:
        raise UserError(f"The target azure-webapp runs images, and there is none of {wanted.version_label}.")
    reference = wanted.image.reference
    host, slash, _ = reference.partition("/")
    if "@sha256:" not in reference or not slash or "." not in host:
        raise UserError(
            f"App Service cannot pull the image {reference}.",
            hint="It has to be in a registry, named by its digest: HOST/NAME@sha256:…; options: {registry: NAME}",
        )
    return f"DOCKER|{reference}"


def plan_body(name: str, region: str, sku: str, instances: int) -> dict[str, Any]:
    """A plan of Linux machines, made for one endpoint."""
    return {
        "location": region,
        "kind": "linux",
        "tags": {OWNER_TAG: name},
        "sku": {"name": sku, "capacity": instances},
        "properties": {"reserved": True},
    }


def identity_body(identity: str | None) -> dict[str, Any]:
    """The managed identity: the app's own, or one that a person made."""
    if identity is None:
        return {"type": "SystemAssigned"}
    return {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}


def site_body(
    name: str,
    region: str,
    plan: str,
    identity: tuple[str | None, str | None],
    container: str,
    settings: Mapping[str, str],
    *,
    runs: bool = True,
) -> dict[str, Any]:
    """A site or a slot. ``identity`` is the resource id and the client id of a user-assigned one, or two None."""
    resource, client = identity
    config: dict[str, Any] = {
        "linuxFxVersion": container,
        "acrUseManagedIdentityCreds": True,
        "healthCheckPath": "/health",
        "alwaysOn": True,
        "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2",
        "ftpsState": "Disabled",
        "http20Enabled": True,
        "appSettings": [{"name": each, "value": value} for each, value in settings.items()],
    }
    if client is not None:
        config["acrUserManagedIdentityID"] = client
    return {
        "location": region,
        "kind": "app,linux,container",
        "tags": {OWNER_TAG: name},
        "identity": identity_body(resource),
        "properties": {
            "serverFarmId": plan,
            "reserved": True,
            "enabled": runs,
            "httpsOnly": True,
            "clientAffinityEnabled": False,
            "keyVaultReferenceIdentity": resource or "SystemAssigned",
            "siteConfig": config,
        },
    }


def logs_body() -> dict[str, Any]:
    """Keep what containers write on the app's own disk."""
    kept = {"enabled": True, "retentionInMb": 35, "retentionInDays": 7}
    return {"properties": {"httpLogs": {"fileSystem": kept}}}
