"""What is sent to Azure ML is what the official package sends, except where a reason is written down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure_ml import FakeAzure, Seen, running_azure
from places import ROOT
from registry_contract import draft

from flowyard.azure.signature import container_signature
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets import open_target
from flowyard.deploy.targets.azure_ml.bodies import deployment_body, endpoint_body, environment_body
from flowyard.deploy.targets.azure_ml.workspace import find_workspace
from flowyard.registry.stores.azure_ml import open_store

PYTHON = ROOT / ".azure-sdk" / "venv" / "bin" / "python"
SCRIPT = ROOT / "tests" / "fakes" / "azure_ml" / "official_package.py"

DIFFERENCES = {
    ("query", "api-version"): "ours is a stable version that is documented; the package asks for previews of its own",
    ("asset", "tags"): "the package sends an empty object, which would take away tags that people gave meanwhile",
}
"""Where a request of ours differs, and why."""

pytestmark = [
    pytest.mark.azure_sdk,
    pytest.mark.skipif(not PYTHON.exists(), reason="azure-ai-ml is not installed: scripts/azure_sdk.sh"),
]


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


def official(azure: FakeAzure, folder: Path, *, env: Mapping[str, str] | None = None, **order: Any) -> Any:
    """What the official package answers; its files and settings go to ``folder``."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "REQUESTS_CA_BUNDLE": str(azure.ca_file), **(env or {})}
    order = {"address": azure.address, "token": azure.token, **order}
    done = subprocess.run(
        [PYTHON, SCRIPT], input=json.dumps(order), env=environ, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def the_put(seen: list[Seen]) -> Seen:
    (put,) = [each for each in seen if each.method == "PUT"]
    return put


def flat(seen: Seen) -> dict[tuple[str, str], Any]:
    """The parts of a request; what is null is the same as what is absent."""
    parts = {("query", name): value for name, value in seen.query.items()}
    parts |= {("body", name): value for name, value in seen.body.items() if name != "properties"}
    parts |= {("asset", name): value for name, value in seen.body["properties"].items() if value is not None}
    return parts


@pytest.mark.parametrize(
    ("kind", "is_folder", "form"),
    [("dataset", True, "uri_folder"), ("dataset", False, "uri_file"), ("flow", True, "custom_model")],
)
def test_a_version_is_registered_as_the_official_package_does(
    azure: FakeAzure, tmp_path: Path, kind: str, is_folder: bool, form: str
):
    azure.versions |= {"2023-04-01-preview", "2023-08-01-preview"}  # the package asks for them
    store = open_store(azure.url, azure.environ)
    one = draft(tmp_path / "one", {"a b ü.jsonl": b"{}"}, kind=kind, is_folder=is_folder, description="Ten tickets")
    store.add(one)
    ours = the_put(azure.seen)
    azure.seen.clear()
    for assets in azure.assets.values():
        assets.versions.clear()
    fields = ours.body["properties"]
    asset = {
        "kind": kind,
        "name": one.name,
        "path": fields["dataUri" if kind == "dataset" else "modelUri"],
        "type": form,
        "description": one.description,
        "properties": fields["properties"],
    }
    place = {"subscription": "00000000-1111-2222-3333-444444444444", "group": "tests", "workspace": "bench"}
    assert official(azure, tmp_path, assets=[asset], **place) == ["1"]
    theirs = the_put(azure.seen)
    assert ours.path == theirs.path
    mine, other = flat(ours), flat(theirs)
    assert {part for part in mine.keys() | other.keys() if mine.get(part) != other.get(part)} == set(DIFFERENCES)


def test_a_signature_is_the_one_that_the_official_package_makes(azure: FakeAzure, tmp_path: Path):
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    order = {"account": "bench", "container": "some-container", "key": azure.blobs.key}
    theirs = parse_qs(official(azure, tmp_path, now=now.isoformat(), **order))
    ours = parse_qs(container_signature("bench", "some-container", azure.blobs.key, now))
    version = theirs["sv"][0]
    assert {name: values for name, values in ours.items() if name not in ("sv", "sig")} == {
        name: values for name, values in theirs.items() if name not in ("sv", "sig")
    }
    again = parse_qs(container_signature("bench", "some-container", azure.blobs.key, now, version=version))
    assert again == theirs


WORKSPACE = {"subscription_id": "00000000-1111-2222-3333-444444444444", "resource_group": "tests", "workspace": "bench"}
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
ONLINE: dict[str, dict[str, Any]] = {
    "managed": {
        "instance_type": "Standard_DS3_v2",
        "description": "Answers tickets",
        "endpoint_description": "Tickets",
        "model": "azureml:shop:3",
        "connection_secrets": True,
        "public_network_access": False,
        "request_timeout_ms": 300_000,
        "max_queue_wait_ms": 500,
        "app_insights": True,
        "data_collector": {"collections": ["model_inputs", "model_outputs"], "sampling_rate": 0.5},
        "liveness_probe": {"initial_delay_s": 90},
    },
    "kubernetes": {
        "compute": "cluster",
        "auth_mode": "aml_token",
        "identities": [IDENTITY],
        "scale": {"min_instances": 1, "max_instances": 3, "polling_interval_s": 5},
    },
}
EMPTY = "the package sends an empty object where there is nothing"
SHORT = "the package has the name here, and puts the workspace's path before it when it sends"
CASE = "the package writes it small; the documentation has a capital"
ALWAYS = {
    "endpoint.tags": EMPTY,
    "endpoint.properties.traffic": EMPTY,
    "endpoint.properties.mirrorTraffic": EMPTY,
    "deployment.tags": EMPTY,
    "deployment.properties.environmentId": SHORT,
    "deployment.properties.environmentVariables.GREETING": "our files hold no values of the flow's variables",
    "environment.properties.osType": "the package leaves it out; Linux is what the image is",
    "environment.properties.isAnonymous": "the package says what is so without saying it",
    "environment.properties.isArchived": "the package says what is so without saying it",
}
ONLINE_DIFFERENCES = {
    "managed": {
        **ALWAYS,
        "deployment.properties.model": SHORT,
        "endpoint.properties.publicNetworkAccess": CASE,
        "deployment.properties.egressPublicNetworkAccess": CASE,
        "deployment.properties.dataCollector.rollingRate": CASE,
        "deployment.properties.dataCollector.collections.model_inputs.dataCollectionMode": CASE,
        "deployment.properties.dataCollector.collections.model_outputs.dataCollectionMode": CASE,
    },
    "kubernetes": {**ALWAYS, "endpoint.properties.compute": SHORT, "endpoint.properties.properties": EMPTY},
}
"""Where a body of ours differs from what the package makes of our files, and why."""


def leaves(value: Any, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every value of a body with its place; an empty object is one, too."""
    if not isinstance(value, dict) or not value:
        return {} if value is None else {place: value}
    return {key: each for name, part in value.items() for key, each in leaves(part, (*place, name)).items()}


@pytest.mark.parametrize("kind", list(ONLINE))
def test_what_is_exported_is_what_is_sent(azure: FakeAzure, tmp_path: Path, kind: str):
    options = parse_options("azure-ml", {**WORKSPACE, **ONLINE[kind]})
    assert isinstance(options, AzureMlOptions)
    wanted = WantedDeployment(
        *("shop-dev", "v3-12345678", "shop:3", "a" * 64),
        image=Image(f"images.example/shop@sha256:{'1' * 64}", f"sha256:{'1' * 64}", "shop:3"),
        variables={"GREETING": "hi", "MODEL_KEY": "${{azureml://connections/model/credentials/key}}"},
        instances=2,
        cpu=1 if kind == "kubernetes" else None,
        memory_mb=512 if kind == "kubernetes" else None,
    )
    open_target("azure-ml", tmp_path, {}, {**WORKSPACE, **ONLINE[kind]}).export(wanted, tmp_path / "files")
    theirs = leaves(official(azure, tmp_path, files=str(tmp_path / "files"), location="westeurope"))
    workspace = find_workspace(options, {})
    model = f"{workspace.path}/models/shop/versions/3" if kind == "managed" else None
    ours = leaves(
        {
            "endpoint": endpoint_body(options, workspace, "westeurope"),
            "deployment": deployment_body(wanted, options, workspace, "westeurope", model),
            "environment": environment_body(wanted),
        }
    )
    found = {".".join(place) for place in ours.keys() | theirs.keys() if ours.get(place) != theirs.get(place)}
    assert found == set(ONLINE_DIFFERENCES[kind])
