"""Azure's management API, against a server over TLS: what is asked again, what is waited for, what is an error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from azure_ml import FakeAzure, Fault, running_azure

from flowyard.azure import (
    ArmClient,
    AzureCloud,
    AzureConflict,
    AzureDenied,
    AzureError,
    AzureNotFound,
    AzureThrottled,
    arm_path,
    open_http,
)
from flowyard.azure.patience import Patience

WORKSPACE = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/tests"
    "/providers/Microsoft.MachineLearningServices/workspaces/bench"
)
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/answers"
BODY = {"location": "westeurope", "properties": {"authMode": "Key"}}


class Hours:
    """A clock that moves only by being slept on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def patience(self, **fields: float) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.now, chance=lambda: 1.0, **fields)


class Tokens:
    """Gives an old token first, and the right one when asked for a fresh one."""

    def __init__(self, right: str, first: str | None = None) -> None:
        self.right = right
        self.given = first or right
        self.scopes: list[str] = []

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        self.scopes.append(scope)
        self.given = self.right if fresh else self.given
        return self.given


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture
def azure(server: FakeAzure) -> FakeAzure:
    server.__post_init__()
    server.faults.clear()
    server.seen.clear()
    return server


@pytest.fixture
def hours() -> Hours:
    return Hours()


@asynccontextmanager
async def client(
    azure: FakeAzure, hours: Hours, tokens: Tokens | None = None, **fields: float
) -> AsyncIterator[ArmClient]:
    cloud = AzureCloud.read(azure.environ)
    async with open_http(cloud, hours.patience(**fields)) as http:
        yield ArmClient(http, cloud, tokens or Tokens(azure.token), api_version="2024-10-01", role="Some Role")


class TestOperations:
    @pytest.mark.parametrize("way", ["Azure-AsyncOperation", "Location", "provisioningState"])
    async def test_it_is_waited_for_in_each_way_of_saying_where(self, azure: FakeAzure, hours: Hours, way: str):
        azure.endpoints.way, azure.endpoints.polls = way, 3
        async with client(azure, hours) as arm:
            made = await arm.put(ENDPOINT, BODY)
            assert made.body["properties"]["provisioningState"] == "Succeeded"
            await arm.delete(ENDPOINT)
            with pytest.raises(AzureNotFound):
                await arm.get(ENDPOINT)
            assert (await arm.delete(ENDPOINT)).status == 204

    @pytest.mark.parametrize("way", ["Azure-AsyncOperation", "provisioningState"])
    @pytest.mark.parametrize("outcome", ["Failed", "Canceled"])
    async def test_one_that_fails_is_an_error_with_the_reason(
        self, azure: FakeAzure, hours: Hours, way: str, outcome: str
    ):
        azure.endpoints.way, azure.endpoints.outcome = way, outcome
        async with client(azure, hours) as arm:
            with pytest.raises(AzureError, match=outcome.lower()) as failed:
                await arm.put(ENDPOINT, BODY)
        if way == "Azure-AsyncOperation":
            assert "ImagePullFailed The image cannot be pulled" in failed.value.message
            assert failed.value.request_id in failed.value.message

    @pytest.mark.parametrize("way", ["Azure-AsyncOperation", "Location", "provisioningState"])
    async def test_one_that_never_ends_is_an_error_that_says_what_to_do(self, azure: FakeAzure, hours: Hours, way: str):
        azure.endpoints.way, azure.endpoints.outcome = way, "stuck"
        async with client(azure, hours, operation_s=600, poll_s=1) as arm:
            with pytest.raises(AzureError, match="after 10 minutes") as stuck:
                await arm.put(ENDPOINT, BODY)
        assert "az monitor activity-log" in stuck.value.hint
        assert stuck.value.code == "OperationTimeout"
        assert "?" not in stuck.value.message

    async def test_an_operation_is_asked_about_through_faults(self, azure: FakeAzure, hours: Hours):
        azure.endpoints.polls = 2
        azure.faults += [
            Fault("GET", "/operations/", status=500, times=2),
            Fault("GET", "/operations/", "truncated"),
            Fault("GET", "/operations/", "reset"),
        ]
        async with client(azure, hours) as arm:
            assert (await arm.put(ENDPOINT, BODY)).body["properties"]["provisioningState"] == "Succeeded"

    @pytest.mark.parametrize(
        "link", ["https://example.com/operation", "http://localhost/operation", "https://localhost.example.com/x"]
    )
    async def test_a_token_follows_no_link_to_elsewhere(self, azure: FakeAzure, hours: Hours, link: str):
        azure.faults.append(Fault("PUT", "answers", status=201, headers={"Azure-AsyncOperation": link}))
        async with client(azure, hours) as arm:
            with pytest.raises(AzureError, match="not its management API"):
                await arm.put(ENDPOINT, BODY)


class TestAskingAgain:
    async def test_it_waits_as_long_as_it_was_asked_to(self, azure: FakeAzure, hours: Hours):
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=200), usegmt=True)
        azure.faults += [
            Fault("GET", "bench$", status=429, headers={"Retry-After": "7"}),
            Fault("GET", "bench$", status=503, headers={"Retry-After": later}),
        ]
        async with client(azure, hours) as arm:
            assert (await arm.get(WORKSPACE))["name"] == "bench"
        assert hours.slept[0] == 7.5
        assert 10 < hours.slept[1] <= 201

    async def test_it_waits_longer_each_time(self, azure: FakeAzure, hours: Hours):
        azure.faults.append(Fault("GET", "bench$", status=500, times=5))
        async with client(azure, hours, longest_s=3) as arm:
            await arm.get(WORKSPACE)
        assert hours.slept == [0.5, 1, 2, 3, 3]

    async def test_it_does_not_wait_longer_than_there_is_time(self, azure: FakeAzure, hours: Hours):
        azure.faults.append(Fault("GET", "bench$", status=429, times=9, headers={"Retry-After": "4000"}))
        async with client(azure, hours) as arm:
            with pytest.raises(AzureThrottled):
                await arm.get(WORKSPACE)
        assert hours.slept == []

    async def test_an_action_is_not_sent_twice_unless_that_is_the_same(self, azure: FakeAzure, hours: Hours):
        azure.endpoints.resources["answers"] = {"properties": {}}
        azure.faults.append(Fault("POST", "listKeys", "reset_after", times=2))
        async with client(azure, hours) as arm:
            with pytest.raises(AzureError, match="Whether it was carried out is not known"):
                await arm.post(f"{ENDPOINT}/listKeys")
            reply = await arm.post(f"{ENDPOINT}/listKeys", repeatable=True)
        assert reply.body["primaryKey"]
        assert len(azure.seen) == 3

    async def test_an_action_that_was_refused_for_the_rate_is_sent_again(self, azure: FakeAzure, hours: Hours):
        azure.faults.append(Fault("POST", "listKeys", status=429))
        async with client(azure, hours) as arm:
            assert (await arm.post(f"{ENDPOINT}/listKeys")).body["primaryKey"]

    async def test_a_token_that_was_taken_back_is_renewed_once(self, azure: FakeAzure, hours: Hours):
        tokens = Tokens(azure.token, first="an old token")
        async with client(azure, hours, tokens) as arm:
            await arm.get(WORKSPACE)
        assert tokens.scopes == [f"{azure.address}/.default"] * 2
        async with client(azure, hours, Tokens("wrong")) as arm:
            with pytest.raises(AzureDenied) as denied:
                await arm.get(WORKSPACE)
        assert "az login" in denied.value.hint
        assert "wrong" not in denied.value.message


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [(400, AzureError), (403, AzureDenied), (404, AzureNotFound), (409, AzureConflict), (412, AzureConflict)],
    )
    async def test_each_is_told_apart_and_not_sent_again(
        self, azure: FakeAzure, hours: Hours, status: int, kind: type[AzureError]
    ):
        refusal = Fault("PUT", "answers", status=status, times=5, code="Some\x1b[31mCode", message="because\nof that")
        azure.faults.append(refusal)
        async with client(azure, hours) as arm:
            with pytest.raises(AzureError) as refused:
                await arm.put(ENDPOINT, BODY, if_match='"1"')
        assert type(refused.value) is kind
        assert "because of that" in refused.value.message
        assert "\x1b" not in refused.value.message
        assert refusal.times == 4
        assert hours.slept == []

    async def test_a_body_that_is_not_documented_is_refused(self, azure: FakeAzure, hours: Hours):
        async with client(azure, hours) as arm:
            for fields in ({"authMode": "key"}, {"authMode": "Key", "traffic": {"blue": "90"}}, {"autMode": "Key"}):
                with pytest.raises(AzureError, match="400 ValidationError"):
                    await arm.put(ENDPOINT, {**BODY, "properties": fields})
            with pytest.raises(AzureError, match="sum to 0 or 100"):
                await arm.put(ENDPOINT, {**BODY, "properties": {"authMode": "Key", "traffic": {"blue": 60}}})

    async def test_a_list_is_read_to_its_end(self, azure: FakeAzure, hours: Hours):
        fields = {"dataType": "uri_file", "dataUri": "https://example.com/file"}
        for number in range(1, 9):
            azure.assets["data"].put("many", str(number), {"properties": fields})
        async with client(azure, hours) as arm:
            found = [item["name"] async for item in arm.iter_items(f"{WORKSPACE}/data/many/versions")]
        assert found == [str(number) for number in range(8, 0, -1)]


def test_no_name_leads_elsewhere():
    assert arm_path("a/b", "c?d#e", "ü%2f") == "/a%2Fb/c%3Fd%23e/%C3%BC%252f"
    for name in ("", ".", ".."):
        with pytest.raises(AzureError):
            arm_path("data", name)


def test_a_missing_ca_file_is_told(tmp_path: Path):
    from flowyard.azure.session import trusted_certificates
    from flowyard.errors import UserError

    with pytest.raises(UserError, match="cannot be read"):
        trusted_certificates(str(tmp_path / "none.pem"))
