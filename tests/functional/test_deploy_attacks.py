"""What must not be possible: names that lead elsewhere, secrets in records, rollbacks that lead back too far."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_helper import Shop, ask

from flowyard.cli.deploy.options import open_place
from flowyard.cli.deploy.parts import earlier_parts, rollout_parts
from flowyard.deploy.rollout.rollout import RolloutLog, roll_out
from flowyard.registry.open import open_registry

LEAKY = """\
import os

raise RuntimeError("cannot log in with " + os.environ["MODEL_KEY"])
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "project")
    yield made
    made.clean_up()


def test_no_name_leads_out_of_the_home(shop: Shop):
    precious = shop.home / "precious-dev" / "data.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("x")
    (shop.home / "deployments" / "local").mkdir(parents=True)
    file = shop.root / "experiment.yaml"
    file.write_text(file.read_text().replace("name: shop", "name: ../../precious"))
    deployment = shop.root / "deployment.yaml"
    deployment.write_text(deployment.read_text().replace("    endpoint: shop-dev\n", ""))
    for words in (("status",), ("logs",), ("remove",), ("remove", "--deployment", "x")):
        done = shop("deploy", *words, ".", "--env", "dev")
        assert done.returncode == 2, done.stderr
        assert "is no name" in done.stderr
    assert precious.read_text() == "x"
    assert not (shop.home.parent / "precious").exists()


def test_an_empty_or_odd_deployment_takes_nothing_away(shop: Shop):
    shop.register("one")
    address = shop.deploy()["endpoint"]["address"]
    for name in ("", ".", "..", "../..", "../../../.."):
        done = shop("deploy", "remove", ".", "--env", "dev", "--deployment", name)
        assert done.returncode == 2, done.stderr
        assert "There is no deployment" in done.stderr
        assert shop("deploy", "logs", ".", "--env", "dev", "--deployment", name).returncode == 2
    assert ask(address) == "one tea"
    assert sum(shop.status()["traffic"].values()) == 100


def test_no_secret_of_a_flow_that_fails_is_in_the_journal(shop: Shop):
    file = shop.root / "deployment.yaml"
    file.write_text(file.read_text().replace('{GREETING: "${SHOP_GREETING}"}', '{MODEL_KEY: "${MODEL_KEY}"}'))
    shop.register("one", LEAKY)
    secret = "canary-5f0b2c"
    done = shop("deploy", "apply", ".", "--env", "dev", "--json", MODEL_KEY=secret)
    assert done.returncode == 5, done.stderr
    assert "cannot log in with" in done.stdout
    assert secret not in done.stdout + done.stderr
    kept = [path.read_text("utf-8", "replace") for path in (shop.home / "rollouts").rglob("*.json")]
    assert kept
    assert not any(secret in text for text in kept)


def stopped_after_the_shift(shop: Shop, version: int | None) -> None:
    """What is left of a deployer (of a rollback, without a version) that was killed before the test of the endpoint."""
    place = open_place(shop.root, "dev", None, None)
    registry = open_registry(place.app.settings)
    parts = (
        rollout_parts(place, registry.find(f"shop:{version}", "flow"), "ann")
        if version
        else earlier_parts(place, "ann")
    )
    roll_out(parts, RolloutLog(shop.home), until="traffic", on_begin=lambda *_: None, on_end=lambda _: None)


@pytest.mark.parametrize("killed", ["rollback", "apply"])
def test_a_rollback_after_a_kill(shop: Shop, killed: str, monkeypatch: pytest.MonkeyPatch):
    """One that was killed itself is gone on with; one of a deployer that was killed takes its requests back."""
    monkeypatch.setenv("FLOWYARD_HOME", str(shop.home))
    monkeypatch.setenv("SHOP_GREETING", "hi")
    for word in ("one", "two", "three"):
        shop.register(word)
    for version in ("1", "2"):
        shop.deploy("--version", version)
    if killed == "rollback":
        shop.deploy("--version", "3")
    stopped_after_the_shift(shop, None if killed == "rollback" else 3)
    assert ask(shop.status()["address"]) == ("two tea" if killed == "rollback" else "three tea")
    done = shop.json("deploy", "rollback", ".", "--env", "dev")
    assert ask(done["endpoint"]["address"]) == "two tea"
    assert (sum(shop.status()["traffic"].values()), shop.alias()) == (100, 2)
    log = RolloutLog(shop.home)
    assert log.unfinished("shop", "dev", "local") is None


def test_what_was_begun_at_another_endpoint_is_taken_away(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLOWYARD_HOME", str(shop.home))
    monkeypatch.setenv("SHOP_GREETING", "hi")
    shop.register("one")
    stopped_after_the_shift(shop, 1)
    file = shop.root / "deployment.yaml"
    before = file.read_text()
    file.write_text(before.replace("endpoint: shop-dev", "endpoint: shop-new"))
    assert ask(shop.deploy()["endpoint"]["address"]) == "one tea"
    file.write_text(before)
    assert shop.status()["deployments"] == []
    journals = [json.loads(path.read_text()) for path in (shop.home / "rollouts").rglob("rollout.json")]
    assert sorted("given up" in json.dumps(each) for each in journals) == [False, True]
