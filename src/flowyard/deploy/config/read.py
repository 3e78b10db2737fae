"""Where a use case is deployed: ``deployment.yaml``, or the template's ``deployment_config.json``, as records."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import read_yaml
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.file import parse_deployment_file
from flowyard.deploy.config.template import parse_template_file
from flowyard.errors import Conflict, NotFound, UserError

__all__ = [
    "OWN_FILE",
    "TEMPLATE_FILES",
    "DeployConfig",
    "fill_in",
    "find_deploy_config",
    "has_environment",
    "read_deploy_config",
]

OWN_FILE = "deployment.yaml"
TEMPLATE_FILES = ("configs/deployment_config.json", "deployment_config.json")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class DeployConfig:
    """All environments of a use case; a template's file may have several for one name, each with another target."""

    path: Path
    environments: tuple[DeployEnvironment, ...]
    warnings: tuple[str, ...] = field(default=())

    def find(self, name: str, target: str | None = None) -> DeployEnvironment:
        """The environment of that name. Raises NotFound with those there are; Conflict for several that fit."""
        found = [each for each in self.environments if each.name == name]
        if not found:
            known = list(dict.fromkeys(each.name for each in self.environments))
            hint = did_you_mean(name, known) or f"It has: {known_names(known)}."
            raise NotFound(f"{self.path} has no environment {name!r}.", hint=hint)
        fitting = [each for each in found if target in (None, each.target)]
        targets = sorted({each.target for each in found})
        if not fitting:
            message = f"The environment {name!r} is deployed to {known_names(targets)}, not to {target!r}."
            raise NotFound(message, hint=f"Change 'target' in {self.path.name}.", where=found[0].where)
        if len(fitting) > 1:
            endpoints = known_names(f"{each.target}/{each.endpoint}" for each in fitting)
            message = f"The environment {name!r} has several entries: {endpoints}."
            raise Conflict(message, hint="Name one target: --target T. Keep one entry for each.")
        return fitting[0]


def find_deploy_config(use_case: Path) -> Path | None:
    """The file that says where a use case is deployed; our own goes first. None when there is none."""
    folder = use_case.parent if use_case.is_file() else use_case
    places = (folder / name for name in (OWN_FILE, *TEMPLATE_FILES))
    return next((place for place in places if place.is_file()), None)


def read_deploy_config(use_case: Path) -> DeployConfig:
    """Read it. Raises NotFound when there is none, UserError with every problem and its line."""
    path = find_deploy_config(use_case)
    if path is None:
        message = f"{use_case} has no {OWN_FILE}, so nothing says where it is deployed."
        hint = "environments: {dev: {target: local, approval: not_required, test: {file: sample-request.json}}}"
        raise NotFound(message, hint=f"Write one:\n{hint}")
    file = read_yaml(path)
    folder = use_case.parent if use_case.is_file() else use_case
    if path.name == OWN_FILE:
        return DeployConfig(path, parse_deployment_file(file, folder))
    environments, warnings = parse_template_file(file, folder)
    return DeployConfig(path, environments, warnings)


def has_environment(use_case: Path, name: str) -> bool:
    """Whether the use case says how it is deployed to that environment."""
    if find_deploy_config(use_case) is None:
        return False
    return any(each.name == name for each in read_deploy_config(use_case).environments)


def fill_in(variables: Mapping[str, str], environ: Mapping[str, str], where: str | None) -> dict[str, str]:
    """The variables with ``${NAME}`` replaced from the environment. Raises UserError with all that are missing."""
    missing = [name for value in variables.values() for name in _named(value) if name not in environ]
    if missing:
        message = f"The environment does not have {known_names(dict.fromkeys(missing))}."
        raise UserError(message, hint=f"export {missing[0]}=…, or write it to .env", where=where)
    return {name: _PLACEHOLDER.sub(lambda found: environ[found[1]], value) for name, value in variables.items()}


def _named(value: str) -> Sequence[str]:
    return _PLACEHOLDER.findall(value)
