"""Images of registered flows on a real engine: built, run, looked through and pushed."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from container_engine import BASE_IMAGE, running_engine
from image_helper import IN_ENV_FILE, KEY, Yard, make_index, make_shop, score
from image_registry import image_registry
from package_index import PASSWORD, package_index

pytestmark = pytest.mark.container

PACKAGES = """\
import importlib.metadata, re
for each in importlib.metadata.distributions(path=[str(importlib.metadata.distribution("aiohttp").locate_file(""))]):
    print("pkg:pypi/" + re.sub("[-_.]+", "-", each.metadata["Name"]).lower() + "@" + each.version)
"""


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    index = make_index(tmp_path_factory.mktemp("index"))
    with running_engine() as engine, package_index(index) as pip:
        engine.variables["DOCKER_BUILDKIT"] = "0"
        variables = {**engine.variables, **pip, "SHOP_TOKEN": "flow-s3cret-canary", "FLOWYARD_SERVE_KEY": KEY}
        yield Yard(make_shop(tmp_path_factory.mktemp("image")), engine, variables)


@pytest.fixture(scope="module")
def image(yard: Yard) -> Any:
    return yard.json("image", "build", ".")


def test_the_same_image_comes_out_when_it_is_built_again(yard: Yard, image: Any):
    again = yard.run("image", "build", "--version", "shop:1")
    assert "is there already" in again.stderr
    assert image["digest"] in again.stdout

    yard.engine.docker("image", "rm", image["local_reference"])
    yard.engine.docker("image", "prune", "--force")
    anew = yard.run("image", "build", "flow", "--json")
    assert "Step" in anew.stderr
    assert json.loads(anew.stdout)["digest"] == image["digest"]
    assert yard.engine.docker("image", "inspect", "--format", "{{.Id}}", image["reference"]).strip() == image["digest"]


def test_it_serves_as_a_user_who_can_write_nothing(yard: Yard, image: Any):
    with yard.serving(image["reference"]) as (_, port):
        assert score(port, "tea") == (200, {"out": "hi tea 1.2"})
        assert score(port, "who") == (200, {"out": "10001 False False"})
        assert score(port, "tea", key=None)[0] == 401
    config = json.loads(yard.engine.docker("image", "inspect", image["reference"]))[0]["Config"]
    assert config["User"] == "10001:10001"


def test_labels_say_what_it_is(yard: Yard, image: Any):
    labels = json.loads(yard.engine.docker("image", "inspect", image["reference"]))[0]["Config"]["Labels"]
    (version,) = yard.json("registry", "show", "shop")["versions"]
    assert labels["flowyard.version"] == "shop:1"
    assert labels["flowyard.digest"] == version["digest"] == image["version_digest"]
    assert labels["org.opencontainers.image.version"] == "1"
    assert labels["org.opencontainers.image.base.name"] == BASE_IMAGE
    assert labels["org.opencontainers.image.base.digest"] == image["base"]["digest"]
    facts = yard.run("registry", "lineage", "shop:1", "--json").stdout
    assert image["digest"] in facts


def test_the_list_of_parts_is_what_is_in_it(yard: Yard, image: Any):
    document = json.loads(Path(image["sbom"]).read_text())
    assert json.loads(yard.inside(image["reference"], "cat", "/service/sbom.json")) == document
    listed = {each["purl"] for each in document["components"]}
    found = set(yard.inside(image["reference"], "python", "-c", PACKAGES).split())
    assert {"pkg:pypi/tinylib@1.2"} < found
    assert {each for each in listed if each.startswith("pkg:pypi/")} == found
    debian = yard.inside(image["reference"], "dpkg-query", "-W", "-f", "${Package}\n").split()
    names = {each["name"] for each in document["components"] if each["purl"].startswith("pkg:deb/")}
    assert names == set(debian)


def test_neither_secrets_nor_build_tools_are_in_it(yard: Yard, image: Any, tmp_path: Path):
    secrets = [each.encode() for each in (PASSWORD, KEY, IN_ENV_FILE, "flow-s3cret-canary")]
    for each in yard.engine.docker("images", "--all", "--quiet", "--no-trunc").split():
        told = yard.engine.docker("history", "--no-trunc", each) + yard.engine.docker("inspect", each)
        assert not any(secret.decode() in told for secret in secrets)
    yard.engine.docker("save", "--output", str(tmp_path / "image.tar"), image["reference"])
    assert not _found(tmp_path / "image.tar", secrets)
    kept = [path for path in Path(image["context"]).parent.rglob("*") if path.is_file()]
    assert not [path for path in kept if any(secret in path.read_bytes() for secret in secrets)]
    tools = "for each in cc gcc g++ make pip pip3; do command -v $each; done; python -m pip --version 2>/dev/null; true"
    assert yard.inside(image["reference"], "sh", "-c", tools) == ""


def _found(archive: Path, secrets: list[bytes]) -> list[str]:
    """Names of files in the layers of an image that hold one of the secrets."""
    found: list[str] = []
    with tarfile.open(archive) as parts:
        for part in parts:
            content = parts.extractfile(part)
            if content is None:
                continue
            rest = b""
            while block := content.read(1 << 22):
                found += [part.name for secret in secrets if secret in rest + block]
                rest = block[-100:]
    return found


def test_it_is_pushed_and_named_by_its_digest(yard: Yard, image: Any):
    with image_registry() as registry:
        name = f"{registry.host}/team/shop"
        words = ("image", "build", ".", "--push", "--repository", name)
        pushed = yard.json(*words)
        reference, _, digest = pushed["reference"].partition("@")
        assert reference == name
        _, manifest = registry.manifests["team/shop", digest]
        parts = json.loads(manifest)
        assert parts["config"]["digest"] == image["digest"]
        assert {each["digest"] for each in parts["layers"]} < set(registry.blobs)
        assert yard.json(*words)["reference"] == pushed["reference"]
        yard.engine.docker("pull", pushed["reference"])
        assert yard.json("image", "show", pushed["reference"])["digest"] == image["digest"]
    assert [each["version"] for each in yard.json("image", "list")] == ["shop:1"]


def test_what_cannot_be_built_says_what_to_do(yard: Yard, image: Any):
    tool = yard.shop.root / "flow" / "work.py"
    text = tool.read_text()
    try:
        tool.write_text(text + "# changed\n")
        changed = yard.run("image", "build", ".")
        assert changed.returncode == 2
        assert "flowyard registry register flow --name shop" in changed.stderr
    finally:
        tool.write_text(text)
    base = yard.run("image", "build", ".", "--base-image", "127.0.0.1:9/nothing:1")
    assert base.returncode == 5
    assert "127.0.0.1:9" in base.stderr
    assert yard.run("image", "build", ".", "--push").returncode == 2
    away = yard.shop("image", "build", ".", **{**yard.variables, "DOCKER_HOST": "unix:///nowhere"})
    assert away.returncode == 5


def test_without_an_engine_the_next_step_is_said(yard: Yard):
    done = yard.shop("image", "build", ".", **{**yard.variables, "PATH": os.devnull})
    assert done.returncode == 5
    assert "--format wheel" in done.stderr
