"""Which web app, and the paths of what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.azure import arm_path
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.errors import UserError

__all__ = ["SLOT_NAMES", "WebappPlace", "find_place", "slots_of_sku"]

SLOT_NAMES = ("next", "next-2", "next-3", "next-4")
"""The slots that deployments are made in, besides the one of production."""

_SUBSCRIPTION = ("AZURE_SUBSCRIPTION_ID", "SUBSCRIPTION_ID")
_GROUP = ("AZURE_RESOURCE_GROUP", "RESOURCE_GROUP_NAME")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class WebappPlace:
    """One web app with its plan. ``identity`` is a resource id; None for the app's own, by system."""

    subscription: str
    group: str
    name: str
    plan_group: str
    plan: str
    identity: str | None

    @property
    def group_path(self) -> str:
        return arm_path("subscriptions", self.subscription, "resourceGroups", self.group)

    @property
    def plan_path(self) -> str:
        names = ("subscriptions", self.subscription, "resourceGroups", self.plan_group)
        return arm_path(*names, "providers", "Microsoft.Web", "serverfarms", self.plan)

    def path(self, slot: str | None = None) -> str:
        """Of the site, or of a slot of it."""
        site = self.group_path + arm_path("providers", "Microsoft.Web", "sites", self.name)
        return site if slot is None else site + arm_path("slots", slot)


def find_place(endpoint: str, options: AzureWebappOptions, environ: Mapping[str, str]) -> WebappPlace:
    """From the options, else the environment. Raises UserError for what is missing, with where to say it."""
    if not _SITE.fullmatch(endpoint):
        raise UserError(f"{endpoint!r} cannot be a web app's name.", hint="2 to 60 letters, digits and '-'.")
    subscription = options.subscription or _first(environ, _SUBSCRIPTION)
    group = options.resource_group or _first(environ, _GROUP)
    if not subscription:
        raise UserError(
            "The target azure-webapp has no subscription.",
            hint="options: {subscription: ID}, or AZURE_SUBSCRIPTION_ID. `az account show --query id` shows it.",
        )
    if not group:
        raise UserError("The target azure-webapp has no resource group.", hint="options: {resource_group: NAME}")
    identity = None if options.identity == "system" else options.identity
    if identity is not None and not identity.startswith("/"):
        names = ("subscriptions", subscription, "resourceGroups", group, "providers", "Microsoft.ManagedIdentity")
        identity = arm_path(*names, "userAssignedIdentities", identity)
    plan_group = options.plan_resource_group or group
    return WebappPlace(subscription, group, endpoint, plan_group, options.plan or f"{endpoint}-plan", identity)


def slots_of_sku(sku: str) -> int:
    """How many slots besides production a plan of that sku gives, of those that are used here."""
    return len(SLOT_NAMES) if sku[:1].upper() in ("S", "P", "I") else 0


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
