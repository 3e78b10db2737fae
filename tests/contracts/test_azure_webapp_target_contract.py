"""The contract over slots of a web app, against a stand-in of App Service whose web apps really answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure_web import GROUP, SUBSCRIPTION, FakeWeb, running_web
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.target import AzureWebappTarget

OPTIONS = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "plan": "machines", "sku": "S1"}
QUICK = Patience(attempts=4, first_s=0.001, longest_s=0.01, poll_s=0.05, longest_poll_s=0.1)
KEY = "the-key-of-the-tests"


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeb]:
    with running_web(tmp_path_factory.mktemp("azure")) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))  # for those who ask the web app
        yield running


def image_of(azure: FakeWeb, wanted: WantedDeployment, source: Path | str) -> WantedDeployment:
    """With an image in which ``source`` runs."""
    digest = "sha256:" + wanted.name.encode().hex().ljust(64, "0")
    azure.images[digest] = source
    return replace(wanted, image=Image(f"shop.azurecr.io/shop@{digest}", digest, wanted.version_label))


def open_webapp(azure: FakeWeb, patience: Patience = QUICK, **options: Any) -> AzureWebappTarget:
    environ = {**azure.environ, "FLOWYARD_SERVE_KEY": KEY}
    return AzureWebappTarget(Path(), environ, AzureWebappOptions(**{**OPTIONS, **options}), patience=patience)


class TestAzureWebapp(TargetContract):
    nobody_serves = 403

    @pytest.fixture
    def target(self, azure: FakeWeb) -> Target:
        self.azure = azure
        return open_webapp(azure)

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        made = super().wanted(tmp_path, name, word, **changes)
        assert made.folder
        return image_of(self.azure, made, made.folder)
