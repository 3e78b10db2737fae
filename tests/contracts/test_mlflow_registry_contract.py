"""The registry in a real MLflow server."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable

import pytest
from mlflow_server import needs_mlflow
from registry_contract import OpenStore, SharedRegistryContract

from flowyard.abc import RegistryStore
from flowyard.registry.stores.mlflow import MlflowStore, open_store
from flowyard.registry.stores.mlflow_login import MlflowLogin
from flowyard.registry.stores.mlflow_rest import MlflowRest, Sent

pytestmark = needs_mlflow


def open_mlflow_store(url: str) -> RegistryStore:
    return open_store(url, {})


class TestMlflow(SharedRegistryContract):
    times = 1
    fact_writers = 4
    facts_each = 5
    kills = 2

    @pytest.fixture
    def address(self, mlflow_address: str) -> str:
        return f"mlflow+http://{mlflow_address}?prefix={secrets.token_hex(4)}."

    @pytest.fixture
    def open_store(self) -> OpenStore:
        return open_mlflow_store

    @pytest.fixture
    def damage(self, mlflow_address: str, store: RegistryStore) -> Callable[[str], None]:
        """Through MLflow's own API, as anybody could who may write there."""
        rest = MlflowRest(f"http://{mlflow_address}", MlflowLogin())

        def overwrite(digest: str) -> None:
            [version] = store.versions("dataset", "tickets")
            name = next(file.name for file in version.files if file.digest == digest)
            query = {"filter": f"tags.`flowyard.digest` = '{version.digest}'"}
            listed = rest.get("model-versions/search", **query)["model_versions"]
            newest = max(listed, key=lambda each: int(each["creation_timestamp"]))
            root = newest["source"].removeprefix("mlflow-artifacts:/")
            rest.upload(f"{root}/{name}", Sent(lambda: io.BytesIO(b"f1rst"), 5))

        return overwrite

    @pytest.fixture
    def unreachable(self) -> RegistryStore:
        return MlflowStore(MlflowRest("http://127.0.0.1:1", MlflowLogin(), wait=lambda _: None))
