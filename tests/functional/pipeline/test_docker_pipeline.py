"""Generated workflows that deliver containers: built once, promoted by the image's digest, never built again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from comment_apis import comment_apis
from container_engine import BASE_IMAGE, EngineOfTests, running_engine
from deploy_helper import ask
from functional_helper import Completed
from image_helper import make_index
from package_index import package_index
from pipeline_helper import Repository
from workflow_forge import APPROVAL_KEY, Forge

from flowyard.deploy.targets import open_target

pytestmark = pytest.mark.container

DEPLOYMENT = """\
environments:
  dev:
    target: docker
    approval: not_required
    options: {network: host}
    test: {file: sample-request.json, golden: golden.yaml, ready_s: 50}
  prod:
    target: docker
    options: {network: host}
    env: {MOOD: good}
    test: {file: sample-request.json, ready_s: 50}
"""


@dataclass(frozen=True)
class Delivery:
    """The use case ``shop`` was built, deployed to dev, approved and promoted to prod, by the CI system's own files."""

    forge: Forge
    engine: EngineOfTests
    built: frozenset[str]
    """All images of the engine when dev was done, layers and all."""
    home_of_images: dict[str, bytes]

    @property
    def repository(self) -> Repository:
        return self.forge.repository

    def json(self, *words: str) -> Any:
        done = self.repository.here(*words, "--json", **self.engine.variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def serving(self, env: str) -> tuple[str, str]:
        """The name of the deployment that has all requests, and the id of the image that its container has."""
        status = self.json("deploy", "status", "cases/shop", "--env", env)
        (name,) = (each["name"] for each in status["deployments"] if each["traffic"] == 100)
        filters = (f"label=flowyard.endpoint=shop-{env}", f"label=flowyard.deployment={name}")
        words = [word for each in filters for word in ("--filter", each)]
        (container,) = self.engine.docker("ps", "--quiet", *words).split()
        return name, self.engine.docker("inspect", "--format", "{{.Image}}", container).strip()

    def release(self) -> Completed:
        """Release the version to prod once more, with the image that there is."""
        words = ("release", "cases/shop", "--env", "prod", "--version", "production@dev", "--no-build", "--no-wait")
        return self.repository.here(*words, "--new", FLOWYARD_APPROVAL_KEY=APPROVAL_KEY, **self.engine.variables)

    def answer(self, env: str) -> str:
        status = self.json("deploy", "status", "cases/shop", "--env", env)
        key = (self.repository.home / f"deployments/docker/shop-{env}/key").read_text()
        return ask(status["address"], {"Authorization": f"Bearer {key}"})


def images(engine: EngineOfTests) -> frozenset[str]:
    return frozenset(engine.docker("images", "--all", "--quiet", "--no-trunc").split())


def records(home: Path) -> dict[str, bytes]:
    """What is kept of each build."""
    return {str(file): file.read_bytes() for name in ("image.json", "build.log") for file in home.rglob(name)}


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    folder = tmp_path_factory.mktemp("delivery")
    index = make_index(folder / "index")
    repository = Repository(folder / "repository")
    with running_engine() as engine, package_index(index) as pip, comment_apis() as apis:
        engine.variables.update(pip, DOCKER_BUILDKIT="0")
        forge = Forge(repository, apis, folder / "ci")
        forge.runner.environment = {**engine.variables, **forge.runner.environment}
        try:
            yield _delivered(forge, engine)
        finally:
            environ = {**os.environ, **engine.variables}
            target = open_target("docker", repository.home, environ, {"network": "host"})
            for env in ("dev", "prod"):
                target.remove(f"shop-{env}")


def _delivered(forge: Forge, engine: EngineOfTests) -> Delivery:
    repository = forge.repository
    folder = repository.use_case("shop")
    repository.write("pipelines.yaml", f"home: {repository.home}\n")
    repository.write(f"{folder}/deployment.yaml", DEPLOYMENT)
    forge.generate()
    repository.commit()
    repository.git("branch", "main")
    repository.git("checkout", "-q", "-b", "feature")
    repository.answer(folder, "two")
    repository.commit()
    forge.runner.secrets = {"FLOWYARD_APPROVAL_KEY": APPROVAL_KEY}
    done = forge.merge("feature", "development", "dev")
    assert set(done.values()) == {"success"}, forge.runner.text
    assert forge.runner.text.count("Building flowyard-shop:1-") == 1
    built, kept = images(engine), records(repository.home)
    repository.git("branch", "release/1", "development")
    approved = forge.answering("approve", lambda _: repository.home)
    done = forge.merge("release/1", "main", "prod")
    assert set(done.values()) == {"success"}, forge.runner.text
    assert len(approved) == 1
    return Delivery(forge, engine, built, kept)


def test_prod_runs_the_image_that_was_built_for_dev(delivery: Delivery):
    assert delivery.answer("dev") == delivery.answer("prod") == "two tea"
    assert delivery.serving("dev")[1] == delivery.serving("prod")[1]
    assert "Building" not in delivery.forge.runner.text
    assert images(delivery.engine) == delivery.built
    assert records(delivery.repository.home) == delivery.home_of_images
    (version,) = delivery.json("registry", "show", "shop")["versions"]
    assert {"production@dev", "production@prod"} <= set(version["aliases"])
    assert len(delivery.json("image", "list")) == 1
    facts = delivery.json("registry", "lineage", "shop:1")
    ran = {delivery.serving(env)[1] for env in ("dev", "prod")}
    assert all(each in json.dumps(facts) for each in ran)


def test_a_smoke_test_that_fails_in_prod_leaves_what_serves(delivery: Delivery):
    """Carried out is what the stages approval to smoke carry out."""
    before = delivery.serving("prod")
    delivery.repository.write("cases/shop/deployment.yaml", DEPLOYMENT.replace("MOOD: good", "MOOD: bad"))
    failed = delivery.release()
    assert failed.returncode == 1, failed.stderr
    assert "in a bad mood" in failed.stderr
    assert "serves as before" in failed.stderr
    assert delivery.serving("prod") == before
    assert delivery.answer("prod") == "two tea"
    there = delivery.engine.docker("ps", "--all", "--quiet", "--filter", "label=flowyard.endpoint=shop-prod")
    assert len(there.split()) == 1, "the container that failed is gone"
    assert images(delivery.engine) == delivery.built


def test_another_image_under_the_same_name_is_refused(delivery: Delivery, tmp_path: Path):
    """Built again from the same, with the same labels: what a rebuild leaves under the name of what was tested."""
    delivery.repository.write("cases/shop/deployment.yaml", DEPLOYMENT)
    (image,) = delivery.json("image", "list")
    name, before = image["local_reference"], delivery.serving("prod")
    delivery.engine.docker("tag", name, "kept:1")
    _rebuild(delivery.engine, name, tmp_path)
    there = images(delivery.engine)
    for problem, code in (("was tagged anew", 2), ("No such image", 2)):
        refused = delivery.release()
        assert refused.returncode == code, refused.stderr
        assert problem.lower() in refused.stderr.lower()
        assert images(delivery.engine) == there, "nothing was built"
        assert delivery.serving("prod") == before
        delivery.engine.docker("image", "rm", "--force", name)
        there = images(delivery.engine)
    delivery.engine.docker("tag", "kept:1", name)
    taken = delivery.release()
    assert taken.returncode == 0, taken.stderr
    assert delivery.serving("prod")[1] == before[1]
    assert records(delivery.repository.home) == delivery.home_of_images


def test_what_serves_is_not_built_again_for_a_newer_base_image(delivery: Delivery, tmp_path: Path):
    """Its container would stay as it is, so that the registry would name an image that never ran."""
    before = delivery.serving("dev")
    _rebuild(delivery.engine, BASE_IMAGE, tmp_path)
    there = images(delivery.engine)
    done = delivery.json("deploy", "apply", "cases/shop", "--env", "dev")
    assert next(step for step in done["steps"] if step["name"] == "image")["result"]["digest"] == before[1]
    assert (delivery.serving("dev"), images(delivery.engine)) == (before, there)


def _rebuild(engine: EngineOfTests, name: str, folder: Path) -> None:
    """Another image under the same name, with the same labels and one more."""
    (folder / "Dockerfile").write_text(f"FROM {name}\nLABEL rebuilt=yes\n")
    engine.docker("build", "--tag", name, str(folder))
