"""A target over the fake cluster, and deployments for it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kubernetes_api import FakeKubernetes

from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.targets.kubernetes.client import Patience
from flowyard.deploy.targets.kubernetes.target import KubernetesTarget

QUICK = Patience(first_s=0.01, longest_s=0.1, look_s=0.05, follow_s=600)


@dataclass
class Waits:
    """A clock that is put on by what would have been slept, so that hours pass at once."""

    slept: list[float] = field(default_factory=list)
    now: float = 0.0

    def patience(self, **changes: Any) -> Patience:
        return replace(Patience(sleep=self.sleep, clock=lambda: self.now, chance=lambda: 1.0), **changes)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        time.sleep(0)


def environ_of(fake: FakeKubernetes, folder: Path, user: dict[str, Any] | None = None) -> dict[str, str]:
    """What a process needs to find the fake: a kubeconfig."""
    config = fake.write_kubeconfig(folder / "kubeconfig", user)
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(config)}


def open_kubernetes(
    fake: FakeKubernetes, folder: Path, options: Mapping[str, Any] | None = None, patience: Patience = QUICK
) -> KubernetesTarget:
    """A target that finds the fake by a kubeconfig."""
    return KubernetesTarget(folder, environ_of(fake, folder), parse_options("kubernetes", options or {}), patience)


def image_named(name: str) -> Image:
    """An image with a tag, and a digest that follows from its name."""
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    return Image(f"registry.test:5000/shop:{name}", digest, f"shop:{name[1:]}")


def wanted_named(name: str, **changes: Any) -> WantedDeployment:
    """A deployment with an image and two variables."""
    variables = {"GREETING": "hi", "MODEL_KEY": f"canary-{name}"}
    made = WantedDeployment("shop-dev", name, f"shop:{name[1:]}", name[-1] * 64, variables=variables)
    return replace(made, image=image_named(name), **changes)
