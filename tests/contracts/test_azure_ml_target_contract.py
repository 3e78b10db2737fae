"""The contract over Azure ML: a stand-in that speaks its documented API, with real servers as its deployments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure_ml import FakeAzure, running_azure
from azure_ml.serving import by_flowyard
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml.target import AzureMlTarget

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
