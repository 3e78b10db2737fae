"""Checks of what there is: subscription, providers, resource group, workspace, and what the workspace uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from flowyard.azure.account.checks import Examination, command
from flowyard.azure.account.model import Finding
from flowyard.azure.errors import plain_reason

__all__ = [
    "check_group",
    "check_providers",
    "check_registry",
    "check_storage",
    "check_subscription",
    "check_vault",
    "check_workspace",
]

_PROVIDERS = (
    *("Microsoft.MachineLearningServices", "Microsoft.ContainerRegistry", "Microsoft.Storage"),
    *("Microsoft.KeyVault", "Microsoft.Insights", "Microsoft.ManagedIdentity"),
)


async def check_subscription(own: Examination) -> AsyncIterator[Finding]:
    """It is visible to the login, and enabled."""
    record = await own.reader.get(own.place.subscription_path)
    name, state = _text(record, "displayName") or own.place.subscription, _text(record, "state") or "unknown"
    if state == "Enabled":
        yield Finding("subscription", "ok", name)
        return
    message = f"{name} is {state}; nothing can be made in it."
    yield Finding("subscription", "wrong", message, "Enable it in the portal: Subscriptions, then Reactivate.")


async def check_providers(own: Examination) -> AsyncIterator[Finding]:
    """The services are switched on in the subscription."""
    wanted = (*_PROVIDERS, *(["Microsoft.Web"] if any(each.target == "azure-webapp" for each in own.needs) else []))
    for name in wanted:
        record = await own.reader.get(f"{own.place.subscription_path}/providers/{name}")
        state = _text(record, "registrationState") or "unknown"
        what = f"provider {name}"
        if state == "Registered":
            yield Finding(what, "ok", "registered")
        elif state == "Registering":
            yield Finding(what, "unknown", "is being registered; look again in some minutes.")
        else:
            fix = command("az", "provider", "register", "--namespace", name, "--subscription", own.place.subscription)
            yield Finding(what, "wrong", f"is {state}.", fix)


async def check_group(own: Examination) -> AsyncIterator[Finding]:
    """It is there."""
    record = await own.reader.get(own.place.group_path)
    yield Finding("resource group", "ok", f"{own.place.resource_group} in {_text(record, 'location')}")


async def check_workspace(own: Examination) -> AsyncIterator[Finding]:
    """It is there and done; keeps its record for the checks that follow."""
    own.workspace = record = await own.reader.get(own.place.path)
    state = _text(record.get("properties"), "provisioningState") or "unknown"
    shown = f"{own.place.workspace} in {_text(record, 'location')}"
    if state == "Succeeded":
        yield Finding("workspace", "ok", shown)
    else:
        fix = command("az", "ml", "workspace", "show", *_group(own), "--name", own.place.workspace)
        yield Finding("workspace", "wrong", f"{shown} is {state}.", fix)


async def check_registry(own: Examination) -> AsyncIterator[Finding]:
    """The workspace has a container registry, and it answers from here."""
    path = own.part("containerRegistry")
    if not path:
        fix = command(
            *("az", "ml", "workspace", "update", *_group(own), "--name", own.place.workspace),
            *("--container-registry", "REGISTRY_ID", "--update-dependent-resources"),
        )
        yield Finding("registry", "wrong", "The workspace has no container registry.", fix)
        return
    record = await own.reader.get(path)
    server = _text(record.get("properties"), "loginServer")
    yield await _reached(own, "registry", f"https://{server}/v2/")


async def check_storage(own: Examination) -> AsyncIterator[Finding]:
    """The workspace has a storage account, and its blobs answer from here."""
    record = await own.reader.get(own.part("storageAccount"))
    endpoints = (record.get("properties") or {}).get("primaryEndpoints")
    yield await _reached(own, "storage", f"{_text(endpoints, 'blob').rstrip('/')}/")


async def check_vault(own: Examination) -> AsyncIterator[Finding]:
    """The workspace has a key vault, and it answers from here."""
    record = await own.reader.get(own.part("keyVault"))
    address = _text(record.get("properties"), "vaultUri").rstrip("/")
    yield await _reached(own, "key vault", f"{address}/secrets?api-version=7.4")


async def _reached(own: Examination, what: str, url: str) -> Finding:
    """Any answer shows that it can be reached; who may come in is a matter of roles."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return Finding(what, "unknown", f"Azure names {plain_reason(url)!r} as its address.")
    status = await own.reader.reach(url, what)
    if status >= 500:
        return Finding(what, "unknown", f"{parts.netloc} answered {status}.", "Run the command again in some minutes.")
    return Finding(what, "ok", f"{parts.netloc} answers")


def _group(own: Examination) -> tuple[str, ...]:
    return ("--subscription", own.place.subscription, "--resource-group", own.place.resource_group)


def _text(record: Mapping[str, Any] | None, key: str) -> str:
    value = record.get(key) if isinstance(record, Mapping) else None
    return plain_reason(value) if isinstance(value, str) else ""
