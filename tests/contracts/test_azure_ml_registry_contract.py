"""The registry in an Azure ML workspace, against a stand-in that speaks its documented API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure_ml import FakeAzure, Fault, running_azure
from registry_contract import OpenStore, SharedRegistryContract, draft

from flowyard.abc import RegistryStore
from flowyard.azure import AzureCloud, AzureDenied, AzureError
from flowyard.azure.credentials import FixedToken
from flowyard.azure.patience import Patience
from flowyard.errors import OutsideError, StoreError, UserError
from flowyard.registry import AliasChange
from flowyard.registry.stores.azure_ml import AzureMlStore, open_store
from flowyard.registry.stores.azure_ml_address import DatastorePath, parse_place

Address = tuple[str, dict[str, str]]
"""The URL, and the environment's variables."""

QUICK = Patience(attempts=4, first_s=0.001, longest_s=0.01, poll_s=0.001)


def open_azure_store(address: Address) -> RegistryStore:
    url, environ = address
    return AzureMlStore(parse_place(url), AzureCloud.read(environ), FixedToken(environ["FLOWYARD_AZURE_TOKEN"]), QUICK)


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


class TestAzureMl(SharedRegistryContract):
    processes = 4
    times = 5
    fact_writers = 3
    facts_each = 5
    kills = 2

    @pytest.fixture
    def address(self, azure: FakeAzure) -> Address:
        return azure.url, azure.environ

    @pytest.fixture
    def open_store(self) -> OpenStore:
        return open_azure_store

    @pytest.fixture
    def damage(self, azure: FakeAzure) -> Callable[[str], None]:
        def change(digest: str) -> None:
            place = next(place for place in azure.blobs.contents if place[1].endswith("/files/a.txt"))
            azure.blobs.contents[place] = b"f1rst"

        return change

    @pytest.fixture
    def unreachable(self, azure: FakeAzure) -> RegistryStore:
        return open_azure_store((azure.url, {**azure.environ, "FLOWYARD_AZURE_MANAGEMENT": "https://localhost:1"}))


@pytest.fixture
def store(azure: FakeAzure) -> RegistryStore:
    return open_azure_store((azure.url, azure.environ))


VERSION = "/data/tickets/versions/1$"
VERSIONS = "/data/tickets/versions$"


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault("PUT", VERSION, "reset"),
            Fault("PUT", VERSION, "reset_after"),
            Fault("PUT", VERSION, "truncated"),
            Fault("PUT", VERSION, "cut"),
            Fault("PUT", VERSION, status=500, times=3),
            Fault("PUT", VERSION, status=429, headers={"Retry-After": "0"}),
            Fault("PUT", VERSION, status=429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
            Fault("PUT", VERSION, status=503),
            Fault("PUT", VERSION, status=409, code="Conflict"),
            Fault("PUT", VERSION, status=412, code="PreconditionFailed"),
            Fault("GET", VERSIONS, "truncated", skip=1),
            Fault("GET", "/data/tickets$", "cut", times=2),
            Fault("POST", "/listSecrets$", "reset"),
            Fault("GET", "/datastores/workspaceblobstore$", status=502),
            Fault("PUT", "/files/a.txt$", "reset_after"),
            Fault("PUT", "/manifest.json$", status=503),
        ],
        ids=lambda fault: f"{fault.method}-{fault.path.strip('$').rpartition('/')[2]}-{fault.kind}-{fault.status}",
    )
    def test_what_passes_gives_one_version(self, azure: FakeAzure, store: RegistryStore, fault: Fault, tmp_path: Path):
        azure.faults.append(fault)
        made = store.add(draft(tmp_path / "one"))
        assert fault.times == 0, "the fault did happen"
        assert (made.is_new, made.version.version) == (True, 1)
        assert list(store.versions("dataset", "tickets")) == [made.version]

    @pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
    @pytest.mark.parametrize("path", [VERSION, VERSIONS, "/data/tickets$"])
    def test_a_refusal_is_never_a_version(
        self, azure: FakeAzure, store: RegistryStore, status: int, path: str, tmp_path: Path
    ):
        method = "PUT" if path == VERSION else "GET"
        azure.faults.append(Fault(method, path, status=status, times=100))
        with pytest.raises(AzureError) as refused:
            store.add(draft(tmp_path / "one"))
        assert isinstance(refused.value, OutsideError)
        assert refused.value.status == status
        azure.faults.clear()
        assert list(store.versions("dataset", "tickets")) == []

    def test_a_refused_request_is_told_and_not_taken_for_a_conflict(
        self, azure: FakeAzure, store: RegistryStore, tmp_path: Path
    ):
        azure.faults.append(Fault("PUT", VERSION, status=400, times=100, message="The uri is not valid."))
        with pytest.raises(AzureError, match="The uri is not valid"):
            store.add(draft(tmp_path / "one"))

    @pytest.mark.parametrize("status", [400, 409])
    def test_a_number_that_is_taken_meanwhile_is_left_to_whoever_has_it(
        self, azure: FakeAzure, store: RegistryStore, status: int, tmp_path: Path
    ):
        assets = azure.assets["data"]
        assets.taken_status = status
        taking, put = iter("12"), assets.put

        def put_behind_another(name: str, version: str, body: Any) -> Any:
            if (theirs := next(taking, None)) is not None:
                put(name, theirs, {"properties": {"dataType": "uri_file", "dataUri": f"https://example.com/{theirs}"}})
            return put(name, version, body)

        assets.put = put_behind_another
        made = store.add(draft(tmp_path / "one"))
        assert (made.is_new, made.version.version) == (True, 3)
        assert list(assets.versions["tickets"]) == ["1", "2", "3"]

    def test_a_conflict_that_stays_without_a_reason_ends(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        azure.faults.append(Fault("PUT", VERSION, status=409, times=100, code="ScopeLocked", message="It is locked."))
        with pytest.raises(AzureError, match=r"409 ScopeLocked to PUT .* It is locked"):
            store.add(draft(tmp_path / "one"))
        assert azure.faults[0].times > 90

    def test_a_list_that_lags_behind_makes_no_second_version(
        self, azure: FakeAzure, store: RegistryStore, tmp_path: Path
    ):
        made = store.add(draft(tmp_path / "one"))
        azure.assets["data"].list = lambda *_: web.json_response({"value": []})
        assert store.add(draft(tmp_path / "again")) == replace(made, is_new=False)

    def test_denied_says_the_role_and_the_command(self, azure: FakeAzure, store: RegistryStore):
        message = (
            "The client 'c' with object id '11111111-2222-3333-4444-555555555555' does not have authorization to "
            "perform action 'Microsoft.MachineLearningServices/workspaces/data/read' over scope '/subscriptions/s'."
        )
        azure.faults.append(Fault("GET", "/data$", status=403, times=9, code="AuthorizationFailed", message=message))
        with pytest.raises(AzureDenied) as denied:
            store.names("dataset")
        assert denied.value.hint.endswith(
            "az role assignment create --assignee 11111111-2222-3333-4444-555555555555 "
            '--role "AzureML Data Scientist" --scope /subscriptions/s'
        )

    def test_no_error_holds_a_secret(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        azure.faults.append(Fault("PUT", "/files/", "reset", times=100))
        with pytest.raises(AzureError) as failed:
            store.add(draft(tmp_path / "one"))
        said = f"{failed.value!r} {failed.value} {failed.value.hint} {failed.value.__cause__!r}"
        assert "sig=" not in said
        assert azure.token not in said
        assert failed.value.__suppress_context__

    def test_others_versions_are_counted_and_not_compared(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        theirs = {"properties": {"dataType": "uri_file", "dataUri": "https://example.com/file"}}
        azure.assets["data"].put("tickets", "1", theirs)
        azure.assets["data"].put("others", "main", theirs)
        assert list(store.names("dataset")) == []
        assert store.add(draft(tmp_path / "one")).version.version == 2
        assert [each.version for each in store.versions("dataset", "tickets")] == [2]
        assert list(store.names("dataset")) == ["tickets"]

    def test_content_that_is_there_is_only_looked_up(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        store.add(draft(tmp_path / "one"))
        blobs = dict(azure.blobs.contents)
        azure.seen.clear()
        assert not store.add(draft(tmp_path / "again")).is_new
        assert [each.method for each in azure.seen] == ["GET", "GET"]
        assert azure.blobs.contents == blobs

    def test_an_archived_version_is_compared(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        made = store.add(draft(tmp_path / "one"))
        azure.assets["data"].versions["tickets"]["1"]["properties"]["isArchived"] = True
        assert store.add(draft(tmp_path / "again")) == replace(made, is_new=False)

    def test_a_datastore_without_a_key_is_opened_by_the_login(
        self, azure: FakeAzure, store: RegistryStore, tmp_path: Path
    ):
        azure.datastore_credentials = "None"
        store.add(draft(tmp_path / "one"))
        azure.blobs.takes_tokens = False
        with pytest.raises(AzureDenied, match="AuthenticationFailed") as denied:
            store.move_alias("dataset", "tickets", AliasChange("candidate", 1, "me", "", "2026-01-02T03:04:05+00:00"))
        assert "Storage Blob Data Contributor" in denied.value.hint

    def test_a_changed_manifest_is_told(self, azure: FakeAzure, store: RegistryStore, tmp_path: Path):
        store.add(draft(tmp_path / "one"))
        place = next(place for place in azure.blobs.contents if place[1].endswith("/manifest.json"))
        azure.blobs.contents[place] = azure.blobs.contents[place].replace(b"a.txt", b"../a.")
        with pytest.raises(StoreError, match="was changed"):
            open_azure_store((azure.url, azure.environ)).versions("dataset", "tickets")


class TestAddresses:
    @pytest.mark.parametrize(
        "url", ["azureml://", "azureml://workspaces/w", "azureml://subscriptions/s/resourceGroups/../workspaces/w"]
    )
    def test_others_are_refused_with_the_forms(self, url: str):
        with pytest.raises(UserError) as refused:
            open_store(url, {})
        assert "azureml://subscriptions/ID/resourceGroups/GROUP/workspaces/NAME" in refused.value.hint

    @pytest.mark.parametrize("path", ["flowyard/flows/a/files", "a b/ü#?", "x/datastores/other/paths/y"])
    def test_files_are_found_where_an_asset_names_them(self, azure: FakeAzure, path: str):
        place = DatastorePath("workspaceblobstore", path)
        assert DatastorePath.parse(place.uri(parse_place(azure.url))) == place
        assert DatastorePath.parse(f"azureml://datastores/workspaceblobstore/paths/{path}/") == place
        with pytest.raises(StoreError, match="in no datastore"):
            DatastorePath.parse(f"https://example.com/{path}")

    def test_a_registry_is_not_yet_a_store(self):
        with pytest.raises(UserError, match="registry of Azure ML"):
            open_store("azureml://registries/shared", {})

    @pytest.mark.parametrize("variable", ["FLOWYARD_AZURE_MANAGEMENT", "FLOWYARD_AZURE_BLOBS"])
    def test_a_token_is_sent_over_tls_only(self, azure: FakeAzure, variable: str):
        with pytest.raises(UserError, match="https"):
            open_store(azure.url, {variable: "http://localhost:1"})

    def test_a_server_with_another_certificate_is_refused(self, azure: FakeAzure):
        environ = {name: value for name, value in azure.environ.items() if name != "REQUESTS_CA_BUNDLE"}
        with pytest.raises(AzureError, match="not trusted"):
            open_azure_store((azure.url, environ)).names("dataset")
        assert azure.seen == []
