"""The contract over Azure ML: a stand-in that speaks its documented API, with real servers as its deployments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from azure_ml import FakeAzure, Fault, running_azure
from azure_ml.serving import by_flowyard
from registry_contract import draft
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.azure import AzureDenied
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Image, Traffic, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml.target import AzureMlTarget
from flowyard.errors import Conflict, OutsideError, UserError
from flowyard.registry.stores.azure_ml import open_store

QUICK = Patience(attempts=4, first_s=0.001, longest_s=0.01, poll_s=0.01, longest_poll_s=0.05)
WORKSPACE = {"subscription_id": "00000000-1111-2222-3333-444444444444", "resource_group": "tests", "workspace": "bench"}


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


def open_azure_target(azure: FakeAzure, folder: Path, **options: Any) -> AzureMlTarget:
    parsed = parse_options("azure-ml", {**WORKSPACE, "roles": "assign", **options})
    assert isinstance(parsed, AzureMlOptions)
    return AzureMlTarget(folder / "home", azure.environ, parsed, QUICK)


class AzureMlContract(TargetContract):
    azure: FakeAzure

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        return self.rebuilt(super().wanted(tmp_path, name, word, **changes))

    def rebuilt(self, wanted: WantedDeployment) -> WantedDeployment:
        """An image whose digest is that of the files."""
        assert wanted.folder is not None
        digest = hashlib.sha256((wanted.folder / "work.py").read_bytes()).hexdigest()
        reference = f"images.example/shop@sha256:{digest}"
        self.azure.endpoints.serving.images[reference] = wanted.folder
        return replace(wanted, image=Image(reference, f"sha256:{digest}", wanted.version_label))


class TestManaged(AzureMlContract):
    """Its deployments are servers as images have them."""

    @pytest.fixture
    def target(self, tmp_path: Path, azure: FakeAzure) -> Iterator[Target]:
        self.azure = azure
        azure.endpoints.serving.serve = by_flowyard
        made = open_azure_target(azure, tmp_path, instance_type="Standard_DS3_v2")
        yield made
        made.remove("shop-dev")


class TestKubernetes(AzureMlContract):
    """Tokens instead of keys, operations by another header, and servers that start at once."""

    @pytest.fixture
    def target(self, tmp_path: Path, azure: FakeAzure) -> Iterator[Target]:
        self.azure = azure
        azure.endpoints.way = "Location"
        made = open_azure_target(azure, tmp_path, compute="cluster", auth_mode="aml_token")
        yield made
        made.remove("shop-dev")


class Shop(AzureMlContract):
    """Deployments with small servers, for what only Azure does."""

    def __init__(self, azure: FakeAzure, folder: Path, **options: Any) -> None:
        self.azure, self.folder = azure, folder
        given = options if "compute" in options else {"instance_type": "Standard_DS3_v2", **options}
        self.target = open_azure_target(azure, folder, **given)

    def make(self, name: str, word: str = "one", **changes: Any) -> WantedDeployment:
        return self.wanted(self.folder, name, word, **changes)

    def served(self) -> WantedDeployment:
        """A deployment that gets all requests."""
        one = self.make("v1")
        self.target.apply(one)
        self.target.set_shares("shop-dev", {"v1": 100})
        return one

    def puts(self, part: str) -> list[Any]:
        return [each.body for each in self.azure.seen if each.method == "PUT" and part in each.path]


PAST = format_datetime(datetime.now(UTC) - timedelta(minutes=1))
FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "429 with seconds": {"status": 429, "headers": {"Retry-After": "0"}},
    "429 with a date": {"status": 429, "headers": {"Retry-After": PAST}},
    "409": {"status": 409, "code": "Conflict"},
    "reset before": {"kind": "reset"},
    "reset after": {"kind": "reset_after"},
    "truncated": {"kind": "truncated"},
    "cut": {"kind": "cut"},
}
PLACES = [
    ("PUT", "/onlineEndpoints/shop-dev$"),
    ("PUT", "/deployments/"),
    ("GET", "/onlineEndpoints/shop-dev$"),
    ("GET", "/deployments"),
    ("GET", "/operations/"),
    ("DELETE", "/deployments/"),
]


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults_on_the_way_come_to_the_same(azure: FakeAzure, tmp_path: Path, name: str):
    shop = Shop(azure, tmp_path)
    shop.served()
    azure.seen.clear()
    kept = PLACES if name != "409" else [place for place in PLACES if place[0] == "PUT"]
    azure.faults += [Fault(method, path, skip=1 if method == "GET" else 0, **FAULTS[name]) for method, path in kept]
    assert shop.target.apply(shop.make("v2", "two")).state == "ready"
    shop.target.set_shares("shop-dev", {"v2": 100})
    shop.target.remove("shop-dev", "v1")
    assert [fault for fault in azure.faults if fault.times] == []
    state = shop.target.status("shop-dev")
    assert [(each.name, each.traffic, each.state) for each in state.deployments] == [("v2", 100, "ready")]
    assert {sum(seen.values()) for seen in azure.endpoints.traffic_seen} <= {0, 100}


def test_a_conflict_that_stays_is_told(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path)
    shop.served()
    shop.target.apply(shop.make("v2", "two"))
    azure.faults.append(Fault("PUT", "/onlineEndpoints/shop-dev$", status=409, times=99))
    with pytest.raises(Conflict, match="being changed"):
        shop.target.set_shares("shop-dev", {"v2": 100})
    azure.faults.clear()
    assert shop.target.status("shop-dev").shares == {"v1": 100}


def test_somebody_else_changes_the_shares_at_the_same_time(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path)
    shop.served()
    for name in ("v2", "v3"):
        shop.target.apply(shop.make(name, name))
    endpoint = azure.endpoints.resources["shop-dev"]

    def another_client(method: str, path: str, when: str) -> None:
        if (method, when) == ("PUT", "before") and path.endswith("shop-dev"):
            azure.on_request = None
            endpoint["properties"]["traffic"], endpoint["etag"] = {"v3": 100}, "another"

    azure.on_request = another_client
    with pytest.raises(Conflict, match="v3 100 %"):
        shop.target.set_shares("shop-dev", {"v2": 100})
    assert shop.target.status("shop-dev").shares == {"v3": 100}


@pytest.mark.parametrize("outcome", ["Failed", "Canceled", "stuck"])
def test_an_operation_that_does_not_end_well_is_told_and_done_anew(azure: FakeAzure, tmp_path: Path, outcome: Any):
    shop = Shop(azure, tmp_path)
    shop.served()
    azure.endpoints.outcome = outcome
    shop.target._patience = replace(QUICK, operation_s=0.2) if outcome == "stuck" else QUICK
    with pytest.raises(OutsideError, match="v2 of shop:2 is not ready"):
        shop.target.apply(shop.make("v2", "two"))
    assert shop.target.status("shop-dev").shares == {"v1": 100}
    azure.endpoints.outcome, shop.target._patience = "Succeeded", QUICK
    azure.endpoints.end_stuck("Failed")
    assert shop.target.apply(shop.make("v2", "two")).state == "ready"


def test_a_quota_that_is_used_up_says_how_much_is_needed(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path)
    message = "Not enough quota available for Standard_DS3_v2."
    azure.faults.append(Fault("PUT", "/deployments/", status=400, code="OutOfQuota", message=message))
    with pytest.raises(OutsideError, match="Not enough quota") as refused:
        shop.target.apply(shop.make("v1", instances=3))
    assert "quota for 4 x Standard_DS3_v2" in str(refused.value.hint)


def test_roles_are_given_or_shown(azure: FakeAzure, tmp_path: Path):
    shown = Shop(azure, tmp_path, roles="show")
    connection = {"KEY": "${{azureml://connections/model/credentials/key}}"}
    one = replace(shown.make("v1"), variables=connection)
    planned = [change for change in shown.target.plan(one) if change.what.startswith("role ")]
    assert [change.what for change in planned] == [
        "role Azure Machine Learning Workspace Connection Secrets Reader on bench",
        "role AcrPull on images",
        "role Storage Blob Data Reader on bench",
    ]
    assert all("az role assignment create" in str(change.after) for change in planned)
    shown.target.apply(one)
    assert azure.roles.given == set()
    assert "principal-of-shop-dev" in str(shown.target.plan(one)[0].after)
    azure.roles.may_give = False
    giving = Shop(azure, tmp_path)
    giving.target.apply(one)  # who may deploy need not be who may give roles
    azure.roles.may_give = True
    giving.target.apply(one)
    assert {definition[:8] for _, definition, _ in azure.roles.given} == {"ea01e6af", "7f951dda", "2a2b9908"}
    assert shown.target.plan(one) == []


def test_identities_that_are_given_get_the_roles(azure: FakeAzure, tmp_path: Path):
    identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
    shop = Shop(azure, tmp_path, identities=[identity], roles="assign")
    shop.target.apply(shop.make("v1"))
    assert {principal for principal, _, _ in azure.roles.given} == {"principal-of-reader"}
    shop.target.set_shares("shop-dev", {"v1": 100})
    assert shop.puts("/onlineEndpoints/shop-dev")[-1]["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": {identity: {}},
    }


def test_a_new_deployment_gets_copies_until_it_gets_requests(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path, mirror=10)
    shop.served()
    shop.target.apply(shop.make("v2", "two"))
    fields = azure.endpoints.resources["shop-dev"]["properties"]
    assert (fields["traffic"], fields["mirrorTraffic"]) == ({"v1": 100}, {"v2": 10})
    shop.target.set_shares("shop-dev", {"v1": 50, "v2": 50})
    fields = azure.endpoints.resources["shop-dev"]["properties"]
    assert (fields["traffic"], fields["mirrorTraffic"]) == ({"v1": 50, "v2": 50}, {})
    shop.target.apply(shop.make("v3", "three"))
    assert azure.endpoints.resources["shop-dev"]["properties"]["mirrorTraffic"] == {"v3": 10}
    shop.target.remove("shop-dev", "v3")
    assert azure.endpoints.resources["shop-dev"]["properties"]["mirrorTraffic"] == {}


def test_the_registered_version_is_the_model_and_allows_more_time(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path, request_timeout_ms=300_000)
    one = shop.make("v1")
    with pytest.raises(UserError, match="request_timeout_ms 300000"):
        shop.target.apply(one)
    flow = draft(tmp_path / "flow", {"flow.dag.yaml": b"nodes: []"}, kind="flow", is_folder=True, name="shop")
    open_store(azure.url, azure.environ).add(flow)
    shop.target.apply(replace(one, digest=flow.digest))
    (made,) = shop.puts("/deployments/v1")
    assert made["properties"]["model"].endswith("/models/shop/versions/1")
    assert made["properties"]["requestSettings"]["requestTimeout"] == "PT5M"
    model = azure.assets["models"].versions["shop"]["1"]["properties"]["properties"]
    assert model["azureml.promptflow.source_flow_id"] == "shop"


def test_what_is_sent_of_a_deployment(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path, compute="cluster", roles="skip")
    reference = "${{azureml://connections/model/credentials/key}}"
    one = replace(shop.make("v1", cpu=0.5, memory_mb=300), variables={"MODEL_KEY": reference, "TOKEN": "secret-token"})
    assert "TOKEN can be read" in str(shop.target.plan(one)[1].after)
    assert "secret-token" not in str(shop.target.plan(one))
    shop.target.apply(one)
    (made,) = shop.puts("/deployments/v1")
    amounts = {"cpu": "0.5", "memory": "300Mi"}
    assert made["properties"]["containerResourceRequirements"]["containerResourceLimits"] == amounts
    variables = made["properties"]["environmentVariables"]
    assert (variables["MODEL_KEY"], variables["TOKEN"]) == (reference, "secret-token")
    assert (variables["PROMPTFLOW_RUN_MODE"], variables["FLOWYARD_SERVE_AUTH"]) == ("serving", "gateway")
    assert "deployment.endpoint_name=shop-dev,deployment.deployment_name=v1" in variables["PRT_CONFIG_OVERRIDE"]
    files = shop.target.export(one, tmp_path / "files")
    assert [file.name for file in files] == ["endpoint.yaml", "deployment.yaml", "environment.yaml", "README.md"]
    written = "".join(file.read_text() for file in files)
    assert "secret-token" not in written
    assert reference in written
    assert '--set environment_variables.TOKEN="$TOKEN"' in written
    with pytest.raises(Conflict):
        shop.target.export(one, tmp_path / "files")


def test_an_endpoint_that_was_made_otherwise_is_left_alone(azure: FakeAzure, tmp_path: Path):
    Shop(azure, tmp_path).served()
    with pytest.raises(Conflict, match="authMode Key"):
        Shop(azure, tmp_path, auth_mode="aml_token").target.apply(Shop(azure, tmp_path).make("v2"))
    with pytest.raises(Conflict, match="compute managed"):
        Shop(azure, tmp_path, compute="cluster").target.plan(Shop(azure, tmp_path).make("v2"))


def test_a_login_that_may_not_is_told_what_it_needs(azure: FakeAzure, tmp_path: Path):
    action = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
    message = f"The client may not perform action '{action}' over scope '/s'."
    azure.faults.append(Fault("PUT", "/onlineEndpoints/", status=403, code="AuthorizationFailed", message=message))
    with pytest.raises(AzureDenied) as denied:
        Shop(azure, tmp_path).served()
    assert '--role "AzureML Data Scientist"' in str(denied.value.hint)


def test_traffic_and_copies_are_set_together(azure: FakeAzure, tmp_path: Path):
    shop = Shop(azure, tmp_path)
    shop.served()
    shop.target.apply(shop.make("v2", "two"))
    before = shop.target.traffic("shop-dev")
    assert before == Traffic({"v1": 100}, {})
    copied = Traffic({"v1": 100}, {"v2": 20})
    shop.target.set_traffic("shop-dev", copied, before)
    assert azure.endpoints.resources["shop-dev"]["properties"]["mirrorTraffic"] == {"v2": 20}
    shop.target.set_traffic("shop-dev", Traffic({"v1": 95, "v2": 5}, {}), copied)
    assert shop.target.traffic("shop-dev") == Traffic({"v1": 95, "v2": 5}, {})
    for impossible in (Traffic({"v1": 100}, {"v2": 60}), Traffic({"v1": 60}, {}), Traffic({"v1": -10, "v2": 110}, {})):
        with pytest.raises(UserError):
            shop.target.require_possible(impossible)
    assert {sum(seen.values()) for seen in azure.endpoints.traffic_seen} <= {0, 100}


@pytest.mark.parametrize("moment", ["before it was read", "after it was read"])
def test_traffic_that_somebody_else_changed_stays_theirs(azure: FakeAzure, tmp_path: Path, moment: str):
    shop = Shop(azure, tmp_path)
    shop.served()
    shop.target.apply(shop.make("v2", "two"))
    seen = shop.target.traffic("shop-dev")
    endpoint = azure.endpoints.resources["shop-dev"]

    def another_client(method: str, path: str, when: str) -> None:
        wanted = "GET" if moment == "before it was read" else "PUT"
        if (method, when) == (wanted, "before") and path.endswith("shop-dev"):
            azure.on_request = None
            endpoint["properties"]["traffic"], endpoint["etag"] = {"v1": 70, "v2": 30}, "another"

    azure.on_request = another_client
    with pytest.raises(Conflict, match="meanwhile: v1 70 %, v2 30 %"):
        shop.target.set_traffic("shop-dev", Traffic({"v1": 90, "v2": 10}, {}), seen)
    assert shop.target.status("shop-dev").shares == {"v1": 70, "v2": 30}


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults_while_traffic_is_set_come_to_the_same(azure: FakeAzure, tmp_path: Path, name: str):
    shop = Shop(azure, tmp_path)
    shop.served()
    shop.target.apply(shop.make("v2", "two"))
    seen = shop.target.traffic("shop-dev")
    azure.faults.append(Fault("PUT", "/onlineEndpoints/shop-dev$", **FAULTS[name]))
    wanted = Traffic({"v1": 90, "v2": 10}, {})
    shop.target.set_traffic("shop-dev", wanted, seen)
    assert azure.faults[0].times == 0
    assert shop.target.traffic("shop-dev") == wanted
