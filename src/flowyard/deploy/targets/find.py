"""Targets by name; a target's code is imported when it is first needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.abc import Target
from flowyard.deploy.options import TargetOptions, parse_options
from flowyard.errors import UserError

__all__ = ["TARGETS", "open_target"]

TARGETS: Mapping[str, str] = {
    "local": "flowyard.deploy.targets.local.target:LocalTarget",
    "docker": "flowyard.deploy.targets.docker.target:DockerTarget",
    "azure-ml": "flowyard.deploy.targets.azure_ml.target:AzureMlTarget",
    "kubernetes": "flowyard.deploy.targets.kubernetes.target:KubernetesTarget",
    "azure-webapp": "flowyard.deploy.targets.azure_webapp.target:AzureWebappTarget",
}
"""Where the class of each target is; it is made with the home, the environment and the options of deployment.yaml."""


def open_target(name: str, home: Path, environ: Mapping[str, str], options: Mapping[str, object]) -> Target:
    """The target of that name; nothing is connected yet. Raises UserError for an unknown one."""
    if name not in TARGETS:
        raise UserError(f"There is no target {name!r}.", hint=did_you_mean(name, TARGETS) or known_names(TARGETS))
    module, _, attribute = TARGETS[name].partition(":")
    make: Callable[[Path, Mapping[str, str], TargetOptions], Target]
    make = getattr(importlib.import_module(module), attribute)
    return make(home, environ, parse_options(name, options))
