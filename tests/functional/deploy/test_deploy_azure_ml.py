"""``flowyard deploy`` to Azure ML from the command line, against a stand-in of its API with real servers behind it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from azure_ml import FakeAzure, Fault, running_azure
from deploy_helper import Shop, asked_all_the_time
from functional_helper import Completed, start_flowyard

DEPLOYMENT = """\
environments:
  dev:
    target: azure-ml
    endpoint: shop-dev
    approval: not_required
    env: {GREETING: "${SHOP_GREETING}", MODEL_KEY: "${{azureml://connections/model/credentials/key}}"}
    test: {file: sample-request.json, golden: golden.yaml, ready_s: 50}
    image: {reference: "IMAGE"}
    options: {instance_type: Standard_DS3_v2}
"""


class AzureShop(Shop):
    """Its images are folders that the stand-in serves."""

    def __init__(self, root: Path, azure: FakeAzure) -> None:
        super().__init__(root)
        self.azure = azure
        self.environ = {
            **azure.environ,
            "AZURE_SUBSCRIPTION_ID": "00000000-1111-2222-3333-444444444444",
            "AZURE_RESOURCE_GROUP": "tests",
            "AZUREML_WORKSPACE_NAME": "bench",
        }
        for word in ("one", "two"):
            self.register(word)
            folder = root.parent / word
            shutil.copytree(root / "flow", folder)
            azure.endpoints.serving.images[self.image(word)] = folder

    def image(self, word: str) -> str:
        return f"images.example/shop@sha256:{hashlib.sha256(word.encode()).hexdigest()}"

    def variables(self) -> dict[str, str]:
        return {**super().variables(), **self.environ}

    def __call__(self, *words: str | Path, **environment: str) -> Completed:
        return self.here(*words, **environment)

    def use(self, word: str) -> tuple[str, ...]:
        """What deploys the version with that word."""
        (self.root / "deployment.yaml").write_text(DEPLOYMENT.replace("IMAGE", self.image(word)))
        return ("deploy", "apply", ".", "--env", "dev", "--version", {"one": "1", "two": "2"}[word])

    def killed(self, word: str, method: str, path: str, when: str) -> int:
        """Deploy that version, and be killed at the first request of that kind; the exit code."""
        started: Future[int] = Future()

        def kill(asked: str, place: str, moment: str) -> None:
            if (asked, moment) == (method, when) and re.search(path, place):
                self.azure.on_request = None
                os.kill(started.result(timeout=60), signal.SIGKILL)

        self.azure.on_request = kill
        process = start_flowyard(*self.use(word), cwd=self.root, env=self.variables())
        started.set_result(process.pid)
        process.communicate(timeout=120)
        self.azure.on_request = None
        return process.returncode


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureShop]:
    with running_azure(tmp_path_factory.mktemp("azure")) as azure:
        yield AzureShop(tmp_path / "project", azure)


def test_from_a_plan_to_the_end(shop: AzureShop, tmp_path: Path):
    apply = shop.use("one")
    plan = shop.json("deploy", "plan", ".", "--env", "dev", "--version", "1")
    made = [change["what"] for change in plan["changes"]]
    assert made[0] == "endpoint shop-dev"
    assert "role AcrPull on images" in made
    assert shop.azure.endpoints.resources == {}
    record = shop.json(*apply)
    assert record["state"] == "done"
    assert shop.image("one") in next(step["said"] for step in record["steps"] if step["name"] == "image")
    assert list(record["endpoint"]["traffic"].values()) == [100]
    assert shop.alias() == 1
    shop.json(*shop.use("two"))
    state = shop.status()
    assert {each["version"]: each["traffic"] for each in state["deployments"]} == {"shop:1": 0, "shop:2": 100}
    new = next(each["name"] for each in state["deployments"] if each["traffic"])
    assert shop.json("deploy", "logs", ".", "--env", "dev")["deployment"] == new
    assert shop("deploy", "remove", ".", "--env", "dev", "--deployment", new, "--yes").returncode == 2
    shop.use("one")
    assert shop.json("deploy", "rollback", ".", "--env", "dev")["state"] == "done"
    assert (shop.alias(), sum(shop.status()["traffic"].values())) == (1, 100)
    files = shop.json("deploy", "plan", ".", "--env", "dev", "--version", "1", "--export", str(tmp_path / "files"))
    assert [Path(file).name for file in files] == ["endpoint.yaml", "deployment.yaml", "environment.yaml", "README.md"]
    shop.json("deploy", "remove", ".", "--env", "dev")
    assert shop.azure.endpoints.resources == {}
    written = "".join(file.read_text("utf-8", "replace") for file in shop.home.rglob("*.json"))
    assert shop.azure.endpoints.serving.key not in written + json.dumps(record)


def test_what_fails_its_test_is_taken_away_and_the_old_one_serves(shop: AzureShop):
    shop.json(*shop.use("one"))
    golden = (shop.root / "golden.yaml").read_text()
    (shop.root / "golden.yaml").write_text(golden.replace("[one, two, three]", "[seven]"))
    shop.json(*shop.use("two"), code=1)
    state = shop.status()
    assert [(each["version"], each["traffic"]) for each in state["deployments"]] == [("shop:1", 100)]
    shop.azure.faults.append(Fault("PUT", "/deployments/", status=400, code="BadArgument", message="No such SKU."))
    refused = shop(*shop.use("two"))
    assert refused.returncode == 5
    assert "No such SKU" in refused.stderr
    assert shop.status()["traffic"] == state["traffic"]


KILLS = [
    ("two", "PUT", "/deployments/", "after"),
    ("one", "PUT", "/onlineEndpoints/shop-dev$", "before"),
    ("two", "PUT", "/onlineEndpoints/shop-dev$", "after"),
]


def test_a_deployer_that_is_killed_at_its_changes(shop: AzureShop):
    first = shop.json(*shop.use("one"))
    serving = shop.azure.endpoints.serving
    seen = shop.azure.endpoints.traffic_seen
    seen.clear()
    with asked_all_the_time(first["endpoint"]["address"], {"Authorization": f"Bearer {serving.key}"}) as answers:
        for word, method, path, when in KILLS:
            assert shop.killed(word, method, path, when) == -signal.SIGKILL
            assert sum(shop.status()["traffic"].values()) == 100
            shop.json(*shop.use(word))
            state = shop.status()
            assert [each["version"] for each in state["deployments"] if each["traffic"]] == [shop_version(word)]
            assert len(state["deployments"]) <= 2
            for each in state["deployments"]:
                if not each["traffic"]:
                    shop.json("deploy", "remove", ".", "--env", "dev", "--deployment", each["name"])
    assert set(answers) == {"one tea", "two tea"}
    assert {sum(traffic.values()) for traffic in seen} == {100}


def shop_version(word: str) -> str:
    return {"one": "shop:1", "two": "shop:2"}[word]


def test_where_the_workspace_is_has_to_be_said(shop: AzureShop):
    shop.use("one")
    for name in ("AZURE_SUBSCRIPTION_ID", "AZUREML_WORKSPACE_NAME"):
        del shop.environ[name]
    refused = shop("deploy", "status", ".", "--env", "dev")
    assert refused.returncode == 2
    for said in ("AZURE_SUBSCRIPTION_ID", "SUBSCRIPTION_ID", "AZUREML_WORKSPACE_NAME", "WORKSPACE_NAME", "options:"):
        assert said in refused.stderr
    (shop.root / ".env").write_text("SUBSCRIPTION_ID=00000000-1111-2222-3333-444444444444\nWORKSPACE_NAME=bench\n")
    assert shop.json("deploy", "status", ".", "--env", "dev")["deployments"] == []


def test_the_templates_file_works_as_it_is(shop: AzureShop):
    (shop.root / "deployment.yaml").unlink()
    (shop.root / "configs").mkdir()
    entry = {
        "ENV_NAME": "dev",
        "TEST_FILE_PATH": "sample-request.json",
        "ENDPOINT_NAME": "shop-dev",
        "ENDPOINT_DESC": "An online endpoint",
        "DEPLOYMENT_DESC": "A deployment",
        "PRIOR_DEPLOYMENT_NAME": "",
        "CURRENT_DEPLOYMENT_NAME": "blue",
        "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION": "100",
        "DEPLOYMENT_VM_SIZE": "Standard_F4s_v2",
        "DEPLOYMENT_INSTANCE_COUNT": 1,
        "ENVIRONMENT_VARIABLES": {"GREETING": "hi"},
    }
    body = {
        "azure_managed_endpoint": [entry],
        "kubernetes_endpoint": [{**entry, "COMPUTE_NAME": "cluster", "ENV_NAME": "k8s"}],
    }
    (shop.root / "configs" / "deployment_config.json").write_text(json.dumps(body))
    managed = shop.json("deploy", "plan", ".", "--env", "dev")
    made = [each["after"] for each in managed["changes"] if each["what"].startswith("deployment ")]
    assert "Standard_F4s_v2" in made[0]
    kubernetes = shop.json("deploy", "plan", ".", "--env", "k8s")
    assert "Kubernetes (cluster)" in kubernetes["changes"][0]["after"]
