"""``flowyard azure doctor`` as a person runs it, against an account that stands in for Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_account import Account, running_account
from azure_account.account import SUBSCRIPTION, WORKSPACE
from functional_helper import Completed, flowyard_here

DEPLOYMENT = """\
environments:
  dev: {target: local, approval: not_required}
  prod:
    target: azure-ml
    endpoint: triage-prod
    instances: 3
    connections: [aoai]
    options: {instance_type: Standard_DS3_v2}
"""
PLACE = ("--subscription", SUBSCRIPTION, "--resource-group", "tests", "--workspace", "bench")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture
def account(running: Account) -> Account:
    running.fill()
    return running


def doctor(account: Account | None, folder: Path, *words: str, **more: str) -> Completed:
    env = {"FLOWYARD_HOME": str(folder / "home"), **(account.environ if account else {}), **more}
    done = flowyard_here("azure", "doctor", *words, cwd=folder, env=env)
    if account:
        assert account.token not in done.stdout + done.stderr
    return done


def test_an_account_that_is_ready(account: Account, tmp_path: Path):
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    done = doctor(account, tmp_path, ".", "--env", "prod", *PLACE)
    assert done.returncode == 0, done.stdout
    assert "ok      quota for prod: 16 cores" in done.stdout
    assert "ok      connection aoai: is in the workspace" in done.stdout
    assert done.stdout.endswith(" ok, 0 wrong, 0 unknown\n")


def test_what_is_wrong_is_told_with_what_to_run(account: Account, tmp_path: Path):
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    account.records[f"{WORKSPACE}/connections"] = []
    variables = {
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_RESOURCE_GROUP": "tests",
        "AZUREML_WORKSPACE_NAME": "bench",
    }
    done = doctor(account, tmp_path, ".", "--json", **variables)
    assert done.returncode == 5
    (wrong,) = [each for each in json.loads(done.stdout)["findings"] if each["state"] == "wrong"]
    assert wrong["what"] == "connection aoai"
    assert wrong["fix"].startswith("az ml connection create --file connection.yml")


def test_with_nothing_set_it_says_what_to_set(tmp_path: Path):
    done = doctor(None, tmp_path, FLOWYARD_AZURE_TOKEN="the-token")
    assert done.returncode == 2
    for text in ("--subscription", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE_NAME"):
        assert text in done.stdout
    assert "the-token" not in done.stdout


def test_the_registrys_address_names_the_place(account: Account, tmp_path: Path):
    url = f"azureml://subscriptions/{SUBSCRIPTION}/resourceGroups/tests/workspaces/bench"
    assert doctor(account, tmp_path, FLOWYARD_REGISTRY=url).returncode == 0


def test_a_web_app_needs_no_workspace(account: Account, tmp_path: Path):
    options = f"{{subscription: {SUBSCRIPTION}, resource_group: tests, registry: images}}"
    environment = f"{{target: azure-webapp, approval: not_required, options: {options}}}"
    (tmp_path / "deployment.yaml").write_text(f"environments:\n  dev: {environment}\n")
    done = doctor(account, tmp_path, ".")
    assert done.returncode == 0, done.stdout
    assert "provider Microsoft.Web: registered" in done.stdout
    assert "workspace" not in done.stdout


def test_an_environment_that_is_not_there_is_an_error(tmp_path: Path):
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    done = doctor(None, tmp_path, ".", "--env", "production")
    assert done.returncode == 2
    assert "has no environment 'production'" in done.stderr
