"""What the look at an account finds: each thing that may be wrong, and what is said to do about it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from azure_account import Account, running_account
from azure_account.account import (
    CALLER,
    ENDPOINT_IDENTITY,
    GROUP,
    REGION,
    REGISTRY,
    SUBSCRIPTION,
    TOP,
    VAULT,
    WORKSPACE,
    login_token,
)
from hypothesis import given
from hypothesis import strategies as st

from flowyard.azure import AzureCloud, open_http, open_tokens
from flowyard.azure.account import Finding, Needs, WorkspacePlace, examine_account
from flowyard.azure.account.caller import Caller, caller_of
from flowyard.azure.account.permissions import allows
from flowyard.azure.patience import Patience

PLACE = WorkspacePlace(SUBSCRIPTION, "tests", "bench")
NEEDS = (Needs("prod", "azure-ml", "triage-prod", "Standard_DS3_v2", 3, ("aoai",)),)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture
def account(running: Account) -> Account:
    running.fill()
    return running


async def look(account: Account, place: WorkspacePlace = PLACE, needs: tuple[Needs, ...] = NEEDS) -> list[Finding]:
    async def at_once(seconds: float) -> None:
        assert seconds >= 0

    cloud, tokens = AzureCloud.read(account.environ), open_tokens(account.environ)
    async with open_http(cloud, Patience(attempts=2, sleep=at_once)) as http:
        return [each async for each in examine_account(http, cloud, tokens, place, needs)]


async def wrong(account: Account, **more: Any) -> dict[str, Finding]:
    return {each.what: each for each in await look(account, **more) if each.state == "wrong"}


async def test_everything_as_it_has_to_be(account: Account):
    found = await look(account)
    assert {each.state for each in found} == {"ok"}
    assert found[0].text == "the token in FLOWYARD_AZURE_TOKEN: the-application, tenant the-tenant"
    names = {each.what for each in found}
    assert {"subscription", "resource group", "workspace", "registry", "storage", "key vault", "your roles"} <= names
    assert {"quota for prod", "connection aoai", "identity of triage-prod on bench", "your role on images"} <= names
    assert {method for method, _ in account.seen} == {"GET"}
    assert not any(re.search("listsecrets|listkeys", path, re.IGNORECASE) for _, path in account.seen)


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        (TOP, "subscription", "az account list"),
        (GROUP, "resource group", f"az group create --subscription {SUBSCRIPTION} --name tests --location LOCATION"),
        (WORKSPACE, "workspace", "az ml workspace create"),
    ],
)
async def test_what_is_not_there_ends_the_look(account: Account, path: str, what: str, fix: str):
    del account.records[path]
    found = await look(account)
    assert (found[-1].what, found[-1].state) == (what, "wrong")
    assert found[-1].fix
    assert found[-1].fix.startswith(fix)


async def test_a_disabled_subscription_is_wrong(account: Account):
    account.records[TOP]["state"] = "Disabled"
    assert (await wrong(account))["subscription"].text == "Tests is Disabled; nothing can be made in it."


async def test_a_provider_that_is_not_registered_is_told_with_its_command(account: Account):
    account.records[f"{TOP}/providers/Microsoft.ContainerRegistry"]["registrationState"] = "NotRegistered"
    found = await wrong(account)
    assert [each.fix for each in found.values()] == [
        f"az provider register --namespace Microsoft.ContainerRegistry --subscription {SUBSCRIPTION}"
    ]


@pytest.mark.parametrize(
    ("role", "scope", "what"),
    [
        ("AzureML Data Scientist", WORKSPACE, "your role on bench"),
        ("AcrPush", REGISTRY, "your role on images"),
    ],
)
async def test_a_role_that_the_caller_lacks_is_told_with_its_command(
    account: Account, role: str, scope: str, what: str
):
    account.given.remove((CALLER, role, scope))
    found = await wrong(account)
    assert list(found) == [what]
    assert shlex.split(str(found[what].fix)) == [
        *("az", "role", "assignment", "create", "--assignee-object-id", CALLER),
        *("--assignee-principal-type", "ServicePrincipal", "--role", role, "--scope", scope),
    ]


async def test_a_role_above_counts_and_owner_is_told_to_be_too_much(account: Account):
    account.given = {each for each in account.given if each[0] != CALLER} | {(CALLER, "Owner", TOP)}
    found = await look(account)
    assert not [each.what for each in found if each.state == "wrong"]
    assert next(each.what for each in found if each.state == "unknown") == "your role on files"  # Owner reads no blobs
    assert any("more than a pipeline needs" in each.text for each in found)


async def test_a_key_vault_reader_does_not_read_connections_secrets(account: Account):
    role = "Azure Machine Learning Workspace Connection Secrets Reader"
    account.given.remove((ENDPOINT_IDENTITY, role, WORKSPACE))
    account.given.add((ENDPOINT_IDENTITY, "Key Vault Reader", VAULT))
    found = (await wrong(account))["identity of triage-prod on bench"]
    assert found.text == "may not Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action."
    assert f"--assignee-object-id {ENDPOINT_IDENTITY}" in str(found.fix)
    assert role in str(found.fix)


async def test_the_identities_that_were_given_to_an_endpoint_are_looked_at(account: Account):
    account.records[f"{WORKSPACE}/onlineEndpoints/triage-prod"]["identity"] = {
        "type": "UserAssigned",
        "userAssignedIdentities": {"/subscriptions/x": {"principalId": "33333333-aaaa-bbbb-cccc-000000000003"}},
    }
    assert len([what for what in await wrong(account) if what.startswith("identity of")]) == 3


async def test_an_endpoint_that_is_not_there_yet_is_unknown(account: Account):
    del account.records[f"{WORKSPACE}/onlineEndpoints/triage-prod"]
    found = [each for each in await look(account) if each.state != "ok"]
    assert [(each.what, each.state) for each in found] == [("identity of triage-prod", "unknown")]


@pytest.mark.parametrize(
    ("used", "limit", "state"),
    [(4, 24, "ok"), (8, 24, "ok"), (9, 24, "wrong"), (0, 0, "wrong")],
)
async def test_a_deployment_needs_a_fifth_more_cores_than_it_asks_for(
    account: Account, used: int, limit: int, state: str
):
    account.records[f"{REGION}/usages"][0] |= {"currentValue": used, "limit": limit}
    (found,) = [each for each in await look(account) if each.what == "quota for prod"]
    assert found.state == state
    assert found.text.startswith("16 cores of standardDSv2Family for 3 × Standard_DS3_v2")


async def test_a_machine_that_the_region_does_not_have_is_wrong(account: Account):
    account.records[f"{REGION}/vmSizes"] = []
    assert "no machines of the type Standard_DS3_v2" in (await wrong(account))["quota for prod"].text


async def test_a_connection_that_the_workspace_lacks_is_told(account: Account):
    account.records[f"{WORKSPACE}/connections"] = []
    assert str((await wrong(account))["connection aoai"].fix).startswith("az ml connection create --file")


async def test_a_workspace_without_a_registry_is_told(account: Account):
    account.records[WORKSPACE]["properties"]["containerRegistry"] = None
    assert list(await wrong(account)) == ["registry"]


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_what_may_not_be_looked_at_is_unknown_and_the_rest_is_looked_at(account: Account, status: int):
    account.refuse = {"permissions$|usages$|resourceGroups/tests$": status}
    found = await look(account)
    assert {each.what for each in found if each.state == "unknown"} == {"resource group", "your role", "quota"}
    assert not [each for each in found if each.state == "wrong"]


async def test_a_host_that_does_not_answer_is_unknown(account: Account):
    account.records[REGISTRY]["properties"]["loginServer"] = "localhost:1"
    account.records[VAULT]["properties"]["vaultUri"] = "http://169.254.169.254/"
    account.refuse = {"^/storage/": 503}
    found = {each.what: each for each in await look(account) if each.state == "unknown"}
    assert set(found) == {"registry", "key vault", "storage"}
    assert "as its address" in found["key vault"].text


async def test_without_an_answer_the_look_ends(account: Account):
    address, account.address = account.address, "https://localhost:1"
    found = await look(account)
    account.address = address
    assert [(each.what, each.state) for each in found] == [("login", "ok"), ("subscription", "unknown")]


async def test_a_wrong_token_is_told_and_not_shown(account: Account):
    token = account.token
    account.token = login_token(appid="another")
    try:
        cloud, tokens = AzureCloud.read(account.environ), open_tokens({"FLOWYARD_AZURE_TOKEN": token})
        async with open_http(cloud) as http:
            found = [each async for each in examine_account(http, cloud, tokens, PLACE)]
    finally:
        account.token = token
    assert found[-1].state == "unknown"
    assert token not in repr(found)


def test_whose_token_it_is():
    person = caller_of(login_token(upn="ada@example.com"))
    assert person == Caller(CALLER, "ada@example.com", "the-tenant", is_person=True)
    assert person.assignee[-1] == "User"
    assert caller_of("opaque") == caller_of("a.b.c") == caller_of("a.W10.c") == Caller()
    assert caller_of(login_token(oid="x') or ('1'='1")).object_id == ""
    assert Caller().assignee == ["--assignee", "OBJECT_ID"]


@given(st.text(max_size=60))
def test_no_token_is_an_error(text: str):
    assert isinstance(caller_of(text), Caller)


@pytest.mark.parametrize(
    ("actions", "excluded", "expected"),
    [
        (["*"], [], True),
        (["A/b/write"], [], True),
        (["a/*/WRITE"], [], True),
        (["A/*"], ["A/b/*"], False),
        (["A/b/read"], [], False),
        ([], [], False),
        (None, None, False),
        (["A/./write"], [], False),
    ],
)
def test_what_permissions_allow(actions: Any, excluded: Any, expected: bool):
    assert allows([{"actions": actions, "notActions": excluded}], "A/b/write") is expected
    assert allows([{"actions": actions, "notActions": excluded}], "A/b/write", is_data=True) is False


def test_what_one_role_takes_out_another_may_give():
    roles = [{"actions": ["*"], "notActions": ["A/write"]}, {"actions": ["A/write"]}]
    assert allows(roles, "A/write")
