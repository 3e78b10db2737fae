"""Checks of what an environment takes: machines within the quota, and the connections that the flow uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from math import ceil
from typing import Any

from flowyard.azure.account.checks import Examination, command
from flowyard.azure.account.model import Finding, Needs
from flowyard.azure.arm import arm_path

__all__ = ["check_connections", "check_quota"]

_SPARE = 1.2
"""Azure ML keeps a fifth more than an online deployment asks for, for upgrades."""


async def check_quota(own: Examination) -> AsyncIterator[Finding]:
    """A further deployment of each environment fits into what is left of its family's cores."""
    needing = [each for each in own.needs if each.target == "azure-ml" and each.instance_type]
    if not needing:
        return
    region = str(own.workspace.get("location") or "")
    names = ("providers", "Microsoft.MachineLearningServices", "locations", region)
    location = own.place.subscription_path + arm_path(*names)
    sizes = {str(each.get("name")).lower(): each for each in await own.reader.list(f"{location}/vmSizes")}
    usages = {_usage_name(each): each for each in await own.reader.list(f"{location}/usages")}
    for need in needing:
        yield _quota(need, sizes.get(str(need.instance_type).lower()), usages, region)


def _quota(
    need: Needs, size: Mapping[str, Any] | None, usages: Mapping[str, Mapping[str, Any]], region: str
) -> Finding:
    what = f"quota for {need.environment}"
    if size is None:
        message = f"{region} has no machines of the type {need.instance_type}."
        return Finding(what, "wrong", message, command("az", "ml", "compute", "list-sizes", "--location", region))
    family, cores = str(size.get("family")), _number(size.get("vCPUs"))
    wanted = ceil(_SPARE * need.instances) * cores
    usage = usages.get(family.lower())
    if usage is None:
        return Finding(what, "unknown", f"Azure names no quota for the family {family}; {wanted} cores are needed.")
    left = _number(usage.get("limit")) - _number(usage.get("currentValue"))
    counted = f"{wanted} cores of {family} for {need.instances} × {need.instance_type}, {left} are left"
    if left >= wanted:
        return Finding(what, "ok", counted)
    fix = f"Ask for more in the portal (Azure ML, Quotas, {family}, {region}), or take a smaller instance_type."
    return Finding(what, "wrong", counted, fix)


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _usage_name(usage: Mapping[str, Any]) -> str:
    name = usage.get("name")
    return str(name.get("value") if isinstance(name, Mapping) else "").lower()


async def check_connections(own: Examination) -> AsyncIterator[Finding]:
    """The connections of the flow are in the workspace; their secrets are not read."""
    wanted = sorted({name for each in own.needs if each.target == "azure-ml" for name in each.connections})
    if not wanted:
        return
    there = {str(each.get("name")) for each in await own.reader.list(f"{own.place.path}/connections")}
    for name in wanted:
        if name in there:
            yield Finding(f"connection {name}", "ok", "is in the workspace")
            continue
        fix = command(
            *("az", "ml", "connection", "create", "--file", "connection.yml", "--subscription", own.place.subscription),
            *("--resource-group", own.place.resource_group, "--workspace-name", own.place.workspace),
        )
        yield Finding(f"connection {name}", "wrong", "is not in the workspace.", fix)
