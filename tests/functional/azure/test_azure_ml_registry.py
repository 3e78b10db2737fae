"""Datasets registered in Azure ML from the command line, against a stand-in of its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_ml import FakeAzure, Fault, running_azure
from functional_helper import Completed, quick_flowyard

from flowyard.registry import Registry
from flowyard.registry.stores.azure_ml import open_store


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAzure]:
    with running_azure(tmp_path_factory.mktemp("azure")) as running:
        yield running


def register(azure: FakeAzure, folder: Path, home: str = "home") -> Completed:
    env = {**azure.environ, "FLOWYARD_REGISTRY": azure.url, "FLOWYARD_HOME": str(folder / home)}
    return quick_flowyard("dataset", "register", "tickets.jsonl", "--name", "tickets", "--json", cwd=folder, env=env)


def test_a_version_is_made_once_and_found_from_another_machine(azure: FakeAzure, tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    first = json.loads(register(azure, tmp_path).stdout)
    again = json.loads(register(azure, tmp_path, home="another").stdout)
    assert (first["version"], first["new"]) == (1, True)
    assert (again["version"], again["new"]) == (1, False)
    elsewhere = Registry(open_store(azure.url, azure.environ), tmp_path / "cache")
    assert elsewhere.resolve("registry:tickets:1").read_text() == '{"question": 1}\n'
    (tmp_path / "tickets.jsonl").write_text('{"question": 2}\n')
    assert json.loads(register(azure, tmp_path).stdout)["version"] == 2
    properties = azure.assets["data"].versions["tickets"]["1"]["properties"]
    assert properties["dataType"] == "uri_file"
    assert properties["properties"]["content-sha256"] == first["digest"]


def test_a_refusal_ends_the_command_and_makes_no_version(azure: FakeAzure, tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    message = "The client does not have authorization to perform action 'some/data/read' over scope '/subscriptions/s'."
    azure.faults.append(Fault("GET", "/data/", status=403, times=99, code="AuthorizationFailed", message=message))
    denied = register(azure, tmp_path)
    assert denied.returncode == 5
    assert "az role assignment create" in denied.stderr
    azure.faults.clear()
    azure.token = "another"
    refused = quick_flowyard(
        *("dataset", "register", "tickets.jsonl", "--name", "tickets"),
        cwd=tmp_path,
        env={**azure.environ, "FLOWYARD_AZURE_TOKEN": "an-old-token", "FLOWYARD_REGISTRY": azure.url},
    )
    assert refused.returncode == 5
    assert "az login" in refused.stderr
    assert "an-old-token" not in refused.stdout + refused.stderr
    assert azure.assets["data"].versions == {}


def test_no_secret_is_written_anywhere(azure: FakeAzure, tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    done = register(azure, tmp_path)
    azure.faults.append(Fault("PUT", "/files/", status=403, times=99))
    (tmp_path / "tickets.jsonl").write_text('{"question": 2}\n')
    failed = register(azure, tmp_path)
    assert (done.returncode, failed.returncode) == (0, 5)
    written = "".join(each.read_bytes().decode("latin-1") for each in tmp_path.rglob("*") if each.is_file())
    for secret in (azure.token, azure.blobs.key, "sig="):
        assert secret not in done.stdout + done.stderr + failed.stdout + failed.stderr + written
