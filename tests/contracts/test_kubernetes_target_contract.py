"""The contract over a fake of a cluster's API whose pods are processes: by a Service, and by a route that can split."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes")

from kubernetes_api import FakeKubernetes, running_kubernetes
from kubernetes_api import pod_program
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.targets.kubernetes.client import Patience
from flowyard.deploy.targets.kubernetes.target import KubernetesTarget

QUICK = Patience(first_s=0.01, longest_s=0.1, look_s=0.05)


def open_kubernetes(fake: FakeKubernetes, folder: Path, options: dict[str, Any]) -> KubernetesTarget:
    """A target that finds the fake by a kubeconfig."""
    config = fake.write_kubeconfig(folder / "kubeconfig")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(config)}
    return KubernetesTarget(folder, environ, parse_options("kubernetes", options), QUICK)


def image_of(fake: FakeKubernetes, wanted: WantedDeployment) -> Image:
    """An image that runs the files of the version."""
    digest = f"sha256:{hashlib.sha256(wanted.name.encode()).hexdigest()}"
    folder = str(wanted.folder)
    program = str(pod_program.__file__)
    fake.images[f"registry.test/shop@{digest}"] = lambda port: [sys.executable, program, folder, str(port)]
    return Image("registry.test/shop:tag", digest, wanted.version_label)


class _OverTheFake(TargetContract):
    options: dict[str, Any] = {}

    @pytest.fixture
    def fake(self, tmp_path: Path) -> Iterator[FakeKubernetes]:
        (tmp_path / "cluster").mkdir()
        with running_kubernetes(tmp_path / "cluster") as made:
            self.fake = made
            yield made
            sums = {sum(share for _, share in shares) for shares in made.shares_seen}
            assert sums <= {0, 100}

    @pytest.fixture
    def target(self, tmp_path: Path, fake: FakeKubernetes) -> Iterator[Target]:
        options = dict(self.options)
        if "route" in options:
            options["address"] = f"{fake.gateway}/shop-dev"
        made = open_kubernetes(fake, tmp_path, options)
        yield made
        made.remove("shop-dev")
        assert fake.objects.found == {}

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        made = super().wanted(tmp_path, name, word, **changes)
        return replace(made, image=image_of(self.fake, made))


class TestKubernetesService(_OverTheFake):
    can_split = False


class TestKubernetesRoute(_OverTheFake):
    options = {"route": {"gateway": "public", "namespace": "gateways"}}
