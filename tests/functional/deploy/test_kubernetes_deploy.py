"""``flowyard deploy`` to a fake cluster whose pods are real flow servers; the image is the registered folder."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy_helper import DEPLOYMENT, Shop
from functional_helper import all_text
from kubernetes_api import FakeKubernetes, running_kubernetes
from kubernetes_helper import environ_of

from flowyard.abc import ImageBuilder
from flowyard.cli.deploy.apply import carry_out_rollout
from flowyard.cli.deploy.options import open_place
from flowyard.cli.deploy.parts import chosen_version, earlier_parts, rollout_parts
from flowyard.deploy.model import Image
from flowyard.registry.lineage import deployment_fact, image_fact
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry
from flowyard.settings import Settings

BROKEN = """\
from promptflow.core import tool


@tool
def work(x: str):
    raise RuntimeError("no tea left")
"""


class FolderImages(ImageBuilder):
    """Images that are folders: the fake cluster serves them by a real server."""

    def __init__(self, fake: FakeKubernetes) -> None:
        self._fake = fake

    def build(self, version: Version, folder: Path, repository: str | None = None) -> Image:
        digest = f"sha256:{hashlib.sha256(version.digest.encode()).hexdigest()}"
        reference = f"registry.test/shop@{digest}"
        words = ["-m", "flowyard", "flow", "serve", "--source", str(folder), "--host", "127.0.0.1", "--port"]
        self._fake.images[reference] = lambda port: [sys.executable, *words, str(port)]
        return Image(reference, digest, version.label)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeKubernetes]:
    (tmp_path / "cluster").mkdir()
    with running_kubernetes(tmp_path / "cluster") as made:
        yield made


@pytest.fixture
def shop(tmp_path: Path, fake: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(tmp_path / "shop")
    settings = "env: {GREETING: hi, MODEL_KEY: '${SHOP_KEY}'}"
    dev = DEPLOYMENT.partition("  prod:")[0].replace("target: local", "target: kubernetes")
    (made.root / "deployment.yaml").write_text(dev.replace('env: {GREETING: "${SHOP_GREETING}"}', settings))
    environ = {**environ_of(fake, tmp_path), "FLOWYARD_HOME": str(made.home), "SHOP_KEY": "canary-key"}
    for name in [name for name in os.environ if name.startswith("FLOWYARD_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(made.root)
    return made


def command(shop: Shop, *words: str, code: int = 0) -> Any:
    return shop.json("deploy", words[0], ".", "--env", "dev", *words[1:], code=code, **here())


def here() -> dict[str, str]:
    return {name: os.environ[name] for name in ("KUBECONFIG", "HOME", "SHOP_KEY")}


def carried_out(fake: FakeKubernetes, *, back: bool = False) -> int:
    """What ``deploy apply`` and ``rollback`` do, with a builder for the fake's images."""
    place = open_place(Path(), "dev", None, None)
    parts = earlier_parts(place, "ann") if back else rollout_parts(place, chosen_version(place, None), "ann")
    return carry_out_rollout(replace(parts, builder=FolderImages(fake)), place, as_json=True)


def test_the_whole_path_and_back(shop: Shop, fake: FakeKubernetes, capsys: pytest.CaptureFixture[str]):
    shop.register("one")
    planned = command(shop, "plan")
    assert [change["before"] for change in planned["changes"]] == [None] * 4
    assert fake.objects.found == {}
    assert carried_out(fake) == 0
    first = json.loads(capsys.readouterr().out)["endpoint"]
    (one,) = first["traffic"]
    command(shop, "plan", "--export", "out")
    assert "image: registry.test/shop@sha256:" in all_text(shop.root / "out"), "the image that was built of it"
    assert (first["address"], first["traffic"]) == ("http://shop-dev.flows.svc", {one: 100})
    shop.register("two", BROKEN)
    fake.shares_seen.clear()
    assert carried_out(fake) == 1
    refused = json.loads(capsys.readouterr().out)
    assert "no tea left" in refused["steps"][3]["said"]
    assert fake.shares_seen == {(((one, 100),), True)}
    assert [each["name"] for each in command(shop, "status")["deployments"]] == [one]
    shop.register("three")
    assert carried_out(fake) == 0
    (three,) = json.loads(capsys.readouterr().out)["endpoint"]["traffic"]
    assert command(shop, "status")["traffic"] == {three: 100}
    assert shop.alias() == 3
    assert command(shop, "logs")["deployment"] == three
    assert carried_out(fake, back=True) == 0
    assert json.loads(capsys.readouterr().out)["endpoint"]["traffic"] == {one: 100}
    assert shop.alias() == 1
    shares = {(((name, 100),), True) for name in (one, three)}
    assert fake.shares_seen == shares
    said = shop("deploy", "remove", ".", "--env", "dev", **here())
    assert said.returncode == 0, said.stderr
    assert fake.objects.found == {}
    kept = all_text(shop.home) + "".join(path.read_text() for path in (shop.root.parent / "cluster").glob("*.log"))
    assert "canary-key" not in kept + said.stdout + said.stderr + json.dumps(planned)


def test_a_version_is_released_with_the_image_that_it_was_deployed_with(shop: Shop, fake: FakeKubernetes):
    shop.register("one")
    again = ("release", ".", "--env", "dev", "--version", "1", "--no-build")
    refused = shop.here(*again, **here())
    assert refused.returncode == 2
    assert "never deployed as an image" in refused.stderr
    registry = open_registry(Settings.read(home=str(shop.home)))
    version = registry.find("shop:1", "flow")
    image = FolderImages(fake).build(version, registry.folder(version))
    registry.add_fact(version, image_fact(reference=image.reference, digest=image.digest, by="ann"))
    assert shop.here(*again, **here()).returncode == 2, "built, but never deployed"
    there = {"environment": "test", "endpoint": "e", "deployment": "d", "state": "live", "by": "ann"}
    local = ("flowyard-shop:1-aaaaaaaa", image.digest)
    registry.add_fact(version, deployment_fact(**there, target="docker", image=local))
    assert "kubernetes cannot take it" in shop.here(*again, **here()).stderr
    registry.add_fact(version, deployment_fact(**there, target="kubernetes", image=(image.reference, image.digest)))
    done = shop.here(*again, "--json", **here())
    assert done.returncode == 0, done.stderr
    built = next(step for step in json.loads(done.stdout)["steps"] if step["name"] == "build")
    assert built["result"]["digest"] == image.digest
    assert shop.alias() == 1


def test_an_export_has_everything_but_values(shop: Shop):
    shop.register("one")
    files = command(shop, "plan", "--export", "out")
    again = shop("deploy", "plan", ".", "--env", "dev", "--export", "out2", **here())
    assert "No image of shop:1 is named" in again.stderr
    text = all_text(shop.root / "out")
    assert "out/kustomization.yaml" in files
    assert "out/chart/values.yaml" in files
    assert "image: shop:1" in text
    assert "MODEL_KEY=\n" in text
    assert "canary-key" not in text


def test_what_cannot_be_is_told(shop: Shop, fake: FakeKubernetes):
    file = shop.root / "deployment.yaml"
    good = file.read_text()
    shop.register("one")
    file.write_text(good + "    options: {route: {gateway: public}, adress: x}\n")
    wrong = shop("deploy", "plan", ".", "--env", "dev", **here())
    assert wrong.returncode == 2
    assert "Did you mean 'address'?" in wrong.stderr
    assert "deployment.yaml:8" in wrong.stderr
    file.write_text(good + "    options: {namespace: elsewhere}\n")
    refused = shop("deploy", "plan", ".", "--env", "dev", **here())
    assert refused.returncode == 5
    assert "Forbidden" in refused.stderr
    file.write_text(good)
    assert shop("deploy", "status", ".", "--env", "dev", **{**here(), "KUBECONFIG": "nowhere"}).returncode == 5
    fake.token = "changed"
    assert "Unauthorized" in shop("deploy", "status", ".", "--env", "dev", **here()).stderr
