"""Deploying to App Service from the command line, against a stand-in whose web apps are real flowyard servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure_web import GROUP, SUBSCRIPTION, FakeWeb, running_web
from deploy_helper import Shop
from functional_helper import Completed, locked_program

DEPLOYMENT = f"""\
environments:
  dev:
    target: azure-webapp
    endpoint: shop-dev
    approval: not_required
    env: {{MODEL_KEY: "${{SHOP_MODEL_KEY}}", GREETING: hello}}
    test: {{file: sample-request.json, golden: golden.yaml, ready_s: 50, requests: 2}}
    options:
      subscription: {SUBSCRIPTION}
      resource_group: {GROUP}
      plan: machines
      sku: S1
      identity: puller
      key_vault: vault
      secrets: {{FLOWYARD_SERVE_KEY: serve-key}}
"""
SECRET = "secret-of-the-model"
KEY = "the-key-of-the-tests"


class CloudShop(Shop):
    """The use case, which is deployed to a stand-in of App Service; images are named, and nothing builds them."""

    def __init__(self, root: Path, azure: FakeWeb) -> None:
        super().__init__(root)
        self.azure = azure
        (root / "deployment.yaml").write_text(DEPLOYMENT)
        azure.vault["https://vault.vault.azure.net/secrets/serve-key"] = KEY
        self.images: list[str] = []

    def __call__(self, *words: str | Path, **environment: str) -> Completed:
        known = {**self.azure.environ, "SSL_CERT_FILE": str(self.azure.ca_file)}
        own = {"SHOP_MODEL_KEY": SECRET, "FLOWYARD_SERVE_KEY": KEY, "PATH": "/nowhere"}
        asks = words[1] in ("apply", "rollback")  # the web app, whose certificate a process takes as it starts
        done = (super().__call__ if asks else self.here)(*words, **{**known, **own, **environment})
        for secret in (SECRET, KEY, self.azure.token):
            assert secret not in done.stdout + done.stderr
        return done

    def release(self, word: str) -> list[str]:
        """A version with an image; the options that name it."""
        self.register(word)
        number = len(self.images) + 1
        digest = f"sha256:{number:064x}"
        self.images.append(digest)
        files = self.root.parent / f"image-{number}"
        shutil.copytree(self.root / "flow", files)
        self.azure.images[digest] = files
        return ["--version", str(number), "--image", f"shop.azurecr.io/shop@{digest}"]

    def shares(self) -> dict[str, int]:
        return {each["version"]: each["traffic"] for each in self.status()["deployments"]}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[CloudShop]:
    with running_web(tmp_path) as azure:
        yield CloudShop(tmp_path / "project", azure)


def test_the_life_of_a_web_app(shop: CloudShop):
    one = shop.release("one")
    plan = shop.json("deploy", "plan", ".", "--env", "dev", *one)
    assert [each["what"] for each in plan["changes"]][:2] == ["plan machines", "web app shop-dev"]
    assert any(each.startswith("MODEL_KEY will be a plain app setting") for each in plan["warnings"])
    assert {each.method for each in shop.azure.seen} == {"GET"}
    assert shop.azure.sites == {}
    done = shop.deploy(*one)
    assert (done["state"], list(done["endpoint"]["traffic"].values())) == ("done", [100])
    assert shop.shares() == {"shop:1": 100}
    assert shop.deploy(*one)["exit_code"] == 0
    shop.deploy(*shop.release("two"))
    assert shop.shares() == {"shop:1": 0, "shop:2": 100}
    shop.deploy(*shop.release("wrong"), code=1)
    assert shop.shares() == {"shop:1": 0, "shop:2": 100}, "what served serves on, and the new one is gone"
    rolled = shop.json("deploy", "rollback", ".", "--env", "dev")
    assert rolled["state"] == "done"
    assert shop.shares() == {"shop:1": 100, "shop:2": 0}
    assert shop.alias() == 1
    assert any("127.0.0.1" in line for line in shop.json("deploy", "logs", ".", "--env", "dev")["lines"])
    settings = shop.azure.sites["shop-dev"].slots[None].settings
    assert settings["FLOWYARD_SERVE_KEY"] == (
        "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/serve-key)"
    )
    shop.json("deploy", "remove", ".", "--env", "dev")
    assert (shop.azure.sites, shop.azure.plans) == ({}, {})
    kept = [path.read_bytes() for path in shop.home.rglob("*") if path.is_file()]
    assert not any(secret.encode() in text for secret in (SECRET, KEY, shop.azure.token) for text in kept)


def test_what_is_wrong_is_told_with_its_line(shop: CloudShop):
    shop.register("one")
    file = shop.root / "deployment.yaml"
    file.write_text(DEPLOYMENT.replace("sku: S1", "skuu: S1").replace("serve-key}", "serve key}"))
    refused = shop("deploy", "plan", ".", "--env", "dev")
    assert refused.returncode == 2
    assert "deployment.yaml:12" in refused.stderr
    assert "'sku'" in refused.stderr
    assert "name a secret" in refused.stderr
    file.write_text(DEPLOYMENT.replace("sku: S1", "sku: B1"))
    refused = shop("deploy", "plan", ".", "--env", "dev")
    assert refused.returncode == 2
    assert "no slots" in refused.stderr
    file.write_text(DEPLOYMENT)
    tagged = shop("deploy", "plan", ".", "--env", "dev", "--image", "shop.azurecr.io/shop:latest")
    assert tagged.returncode == 2
    assert "by its digest" in tagged.stderr


def test_the_templates_file_works_as_it_is(shop: CloudShop):
    (shop.root / "deployment.yaml").unlink()
    (shop.root / "configs").mkdir()
    entry = {
        "ENV_NAME": "dev",
        "TEST_FILE_PATH": "sample-request.json",
        "CONNECTION_NAMES": ["aoai"],
        "REGISTRY_NAME": "shop",
        "REGISTRY_RG_NAME": "shared",
        "APP_PLAN_NAME": "machines",
        "WEB_APP_NAME": "shop-web",
        "WEB_APP_RG_NAME": GROUP,
        "WEB_APP_SKU": "P0v3",
        "USER_MANAGED_ID": "puller",
    }
    (shop.root / "configs" / "deployment_config.json").write_text(json.dumps({"webapp_endpoint": [entry]}))
    one = shop.release("one")
    told = shop("deploy", "plan", ".", "--env", "dev", *one)
    assert told.returncode == 2
    assert "AZURE_SUBSCRIPTION_ID" in told.stderr
    plan = shop.json("deploy", "plan", ".", "--env", "dev", *one, SUBSCRIPTION_ID=SUBSCRIPTION)
    assert plan["endpoint"] == "shop-web"
    assert plan["changes"][0] == {"what": "plan machines", "before": None, "after": "P0v3, Linux"}


AZ = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
case "$*" in
  *"appservice plan list"*) ;;
  *"group show"*) echo norwayeast ;;
  *"webapp list"*) echo 0 ;;
  *slot.json*)
    for word in "$@"; do [[ $word != @* ]] || cat "${word#@}" >>"$VALUES"; done
    echo shop-dev-next.example
    ;;
  *) echo something ;;
esac
"""


def test_the_exported_script_runs_without_a_secret_in_any_command(shop: CloudShop, tmp_path: Path):
    programs, calls, values = tmp_path / "bin", tmp_path / "calls", tmp_path / "values"
    programs.mkdir()
    (programs / "az").write_text(AZ)
    (programs / "curl").write_text('#!/usr/bin/env bash\nprintf "curl %s\\n" "$*" >>"$CALLS"\n')
    for each in programs.iterdir():
        each.chmod(0o755)
    folder = tmp_path / "export"
    written = shop.json("deploy", "plan", ".", "--env", "dev", *shop.release("one"), "--export", folder)
    assert [Path(each).name for each in written] == ["deploy.sh", "endpoint.json", "slot.json", "README.md"]
    texts = [Path(each).read_text() for each in written]
    assert not any(secret in text for secret in (SECRET, KEY) for text in texts)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls), "VALUES": str(values)}
    missing = subprocess.run([folder / "deploy.sh"], env=env, capture_output=True, text=True, check=False)
    assert missing.returncode != 0
    assert "MODEL_KEY" in missing.stderr
    given = {**env, "MODEL_KEY": SECRET, "GREETING": 'it\'s "quoted" $HOME'}
    done = subprocess.run([folder / "deploy.sh"], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run([locked_program("shellcheck"), folder / "deploy.sh"], check=True)
    made = [line for line in calls.read_text().splitlines() if "list" not in line and " show " not in line]
    expected = ("endpoint.json", "slot.json", "role assignment", "/health", "webapp start", "slot swap", "/health")
    assert [any(each in line for line in made) for each in expected] == [True] * len(expected)
    assert [next(i for i, line in enumerate(made) if each in line) for each in expected[:6]] == sorted(
        next(i for i, line in enumerate(made) if each in line) for each in expected[:6]
    )
    assert SECRET not in calls.read_text()
    parameters: Any = json.loads(values.read_text())["parameters"]
    assert parameters["setting_GREETING"]["value"] == given["GREETING"]
    assert parameters["setting_MODEL_KEY"]["value"] == SECRET
    template = json.loads((folder / "slot.json").read_text())
    declared = set(template["parameters"])
    assert declared == {"region", "image", "slot", "setting_GREETING", "setting_MODEL_KEY"}
    assert template["parameters"]["setting_MODEL_KEY"] == {"type": "secureString"}
    assert template["resources"][0]["apiVersion"] == "2024-11-01"
