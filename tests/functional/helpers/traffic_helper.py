"""A use case with two versions that are deployed behind a route of a fake cluster; the first one serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy_helper import EXPERIMENT, Shop
from functional_helper import in_this_process
from kubernetes_api import FakeKubernetes, running_kubernetes
from kubernetes_helper import environ_of, image_named

from flowyard.cli.deploy.options import open_place
from flowyard.cli.deploy.parts import chosen_version, rollout_parts
from flowyard.registry.open import open_registry
from flowyard.registry.point_alias import point_alias

__all__ = ["TrafficShop", "deployed_shop"]

DEPLOYMENT = """\
environments:
  prod:
    target: kubernetes
    endpoint: shop-dev
    options: {route: {gateway: public}, address: http://127.0.0.1:1}
  alone: {target: kubernetes, endpoint: shop-alone, approval: required}
  dev: {target: local, approval: not_required}
"""


class TrafficShop(Shop):
    """``names`` are the deployments of versions 1 and 2."""

    names: tuple[str, str]

    def __init__(self, root: Path, fake: FakeKubernetes) -> None:
        super().__init__(root)
        self.fake = fake
        (root / "deployment.yaml").write_text(DEPLOYMENT)
        self.environment = environ_of(fake, root.parent)

    def variables(self) -> dict[str, str]:
        return {**super().variables(), **self.environment}

    def command(self, *words: str, code: int = 0) -> Any:
        """What a command prints with --json; its errors when it is refused before it does anything."""
        done = self.here(*words, "--json")
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    def traffic(self, *words: str, code: int = 0) -> Any:
        return self.command("deploy", "traffic", ".", "--env", "prod", *words, code=code)

    def approve_version(self, number: int) -> str:
        asked = self.command("approval", "request", f"shop:{number}", "--env", "prod", "--target", "kubernetes")
        self.command("approval", "approve", asked["id"], "--reason", "seen")
        return str(asked["id"])

    def deploy_version(self, number: int) -> str:
        """As ``deploy apply`` leaves it before it shifts requests; the name of the deployment."""
        with in_this_process(self.root, self.variables()):
            place = open_place(Path(), "prod", None, None)
            parts = rollout_parts(place, chosen_version(place, number), "ann")
            made = place.target.apply(replace(parts.wanted, image=image_named(f"v{number}")))
            if number == 1:
                place.target.set_shares(place.endpoint, {made.name: 100})
                point_alias(open_registry(place.app.settings), parts.version, parts.alias, "ann", "it serves")
        return made.name


@contextmanager
def deployed_shop(folder: Path) -> Iterator[TrafficShop]:
    """Until the context ends."""
    (folder / "cluster").mkdir()
    with running_kubernetes(folder / "cluster") as fake:
        fake.pods.without_processes = True
        shop = TrafficShop(folder / "shop", fake)
        (shop.root / "experiment.yaml").write_text(EXPERIMENT)
        for word in ("one", "two"):
            shop.write_flow(word)
            shop.command("registry", "register", "flow", "--name", "shop")
        shop.names = shop.deploy_version(1), shop.deploy_version(2)
        fake.shares_seen.clear()
        yield shop
