"""The whole look at an account, in the order in which one thing needs the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from flowyard.azure.account.caller import Caller, caller_of
from flowyard.azure.account.capacity import check_connections, check_quota
from flowyard.azure.account.checks import Check, Examination, command, guarded
from flowyard.azure.account.model import Finding, Needs, WorkspacePlace
from flowyard.azure.account.places import (
    check_group,
    check_providers,
    check_registry,
    check_storage,
    check_subscription,
    check_vault,
    check_workspace,
)
from flowyard.azure.account.reader import AccountReader
from flowyard.azure.account.roles import check_caller, check_caller_roles, check_identities
from flowyard.azure.cloud import AzureCloud
from flowyard.azure.credentials import NamedTokens
from flowyard.azure.errors import AzureDenied
from flowyard.azure.http import AzureHttp
from flowyard.errors import ExtraMissing, UserError

__all__ = ["examine_account", "examine_login"]

_OF_WORKSPACE: tuple[tuple[str, Check], ...] = (
    ("registry", check_registry),
    ("storage", check_storage),
    ("key vault", check_vault),
    ("your role", check_caller),
    ("your roles", check_caller_roles),
    ("identity", check_identities),
    ("quota", check_quota),
    ("connections", check_connections),
)


async def examine_account(
    http: AzureHttp, cloud: AzureCloud, tokens: NamedTokens, place: WorkspacePlace, needs: Sequence[Needs] = ()
) -> AsyncIterator[Finding]:
    """Findings, as they are made. What cannot be looked at is ``unknown``; nothing is changed, no secret is read."""
    finding, caller = await examine_login(cloud, tokens)
    yield finding
    if finding.state != "ok":
        return
    own = Examination(AccountReader(http, cloud, tokens), place, caller, tuple(needs))
    for what, check, fix in _upper(place):
        missing = False
        async for each in guarded(what, check, own, fix):
            missing = missing or (each.state == "wrong" and what != "providers")
            yield each
        if missing or own.is_silent:
            return
    if not own.workspace:
        return
    for what, check in _OF_WORKSPACE:
        async for each in guarded(what, check, own):
            yield each


async def examine_login(cloud: AzureCloud, tokens: NamedTokens) -> tuple[Finding, Caller]:
    """Whether there is a login, by which way, and whose."""
    try:
        caller = caller_of(await tokens.token(cloud.management_scope))
    except ExtraMissing as error:
        return Finding("login", "wrong", error.message, error.hint, is_setting=True), Caller()
    except (AzureDenied, UserError) as error:
        return Finding("login", "wrong", error.message, error.hint, is_setting=isinstance(error, UserError)), Caller()
    who = ", ".join(part for part in (caller.name, f"tenant {caller.tenant}" if caller.tenant else "") if part)
    return Finding("login", "ok", f"{tokens.way}{f': {who}' if who else ''}"), caller


def _upper(place: WorkspacePlace) -> tuple[tuple[str, Check, str], ...]:
    """What the rest needs; each with what to run when it is not there."""
    group = ("--subscription", place.subscription)
    return (
        ("subscription", check_subscription, command("az", "account", "list", "--output", "table")),
        ("providers", check_providers, command("az", "provider", "list", *group, "--output", "table")),
        (
            "resource group",
            check_group,
            command("az", "group", "create", *group, "--name", place.resource_group, "--location", "LOCATION"),
        ),
        *([("workspace", check_workspace, _make_workspace(place))] if place.workspace else []),
    )


def _make_workspace(place: WorkspacePlace) -> str:
    group = ("--subscription", place.subscription, "--resource-group", place.resource_group)
    return command("az", "ml", "workspace", "create", *group, "--name", place.workspace)
