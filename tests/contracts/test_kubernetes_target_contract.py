"""The contract over a fake of a cluster's API whose pods are processes: by a Service, and by a route that can split."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from kubernetes_api import FakeKubernetes, pod_program, running_kubernetes
from kubernetes_helper import open_kubernetes
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.deploy.model import Image, WantedDeployment


def image_of(fake: FakeKubernetes, wanted: WantedDeployment) -> Image:
    """An image that runs the files of the version."""
    digest = f"sha256:{hashlib.sha256(wanted.name.encode()).hexdigest()}"
    folder = str(wanted.folder)
    program = str(pod_program.__file__)
    fake.images[f"registry.test/shop@{digest}"] = lambda port: [sys.executable, program, folder, str(port)]
    return Image("registry.test/shop:tag", digest, wanted.version_label)


class _OverTheFake(TargetContract):
    options: Mapping[str, Any] = MappingProxyType({})

    @pytest.fixture
    def fake(self, tmp_path: Path) -> Iterator[FakeKubernetes]:
        (tmp_path / "cluster").mkdir()
        with running_kubernetes(tmp_path / "cluster") as made:
            self.fake = made
            yield made
            sums = {sum(share for _, share in shares) for shares, _ in made.shares_seen}
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
    options = MappingProxyType({"route": {"gateway": "public", "namespace": "gateways"}})
