"""The template's ``deployment_config.json``, read as it is; what means nothing here is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.file import parse_memory
from flowyard.deploy.endpoint_test.model import EndpointTest
from flowyard.deploy.options import option_problems
from flowyard.errors import Problem, UserError
from flowyard.registry.labels import require_alias
from flowyard.settings import SIMULATE_VARIABLE

__all__ = ["parse_template_file"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""Names go into scripts and templates of ours, but not into every shell's variables: the template has a dash in one."""
_NAMED_BY_US = "deployments are named after their version"
_NOT_USED = {
    "PRIOR_DEPLOYMENT_NAME": _NAMED_BY_US,
    "CURRENT_DEPLOYMENT_NAME": _NAMED_BY_US,
    "PRIOR_DEPLOYMENT_TRAFFIC_ALLOCATION": "what served before gets what is left of 100",
    "DEPLOYMENT_CONDA_PATH": "images are built from requirements.txt",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A list of the file: the target it is for, the key with the endpoint's name, and keys that become options."""

    target: str
    endpoint: str
    options: Mapping[str, str]
    fixed: Mapping[str, str]


_ONLINE = {"ENDPOINT_DESC": "endpoint_description", "DEPLOYMENT_DESC": "description"}
_KINDS = {
    "azure_managed_endpoint": _Kind(
        "azure-ml", "ENDPOINT_NAME", {**_ONLINE, "DEPLOYMENT_VM_SIZE": "instance_type"}, {"compute": "managed"}
    ),
    "kubernetes_endpoint": _Kind(
        "azure-ml", "ENDPOINT_NAME", {**_ONLINE, "DEPLOYMENT_VM_SIZE": "instance_type", "COMPUTE_NAME": "compute"}, {}
    ),
    "webapp_endpoint": _Kind(
        "azure-webapp",
        "WEB_APP_NAME",
        {
            "REGISTRY_NAME": "registry",
            "REGISTRY_RG_NAME": "registry_resource_group",
            "APP_PLAN_NAME": "plan",
            "WEB_APP_RG_NAME": "resource_group",
            "WEB_APP_SKU": "sku",
            "USER_MANAGED_ID": "identity",
        },
        {},
    ),
}
_COMMON = (
    *("ENV_NAME", "TEST_FILE_PATH", "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION", "DEPLOYMENT_INSTANCE_COUNT"),
    *("ENVIRONMENT_VARIABLES", "CPU_ALLOCATION", "MEMORY_ALLOCATION", "CONNECTION_NAMES"),
)


def parse_template_file(file: YamlFile, folder: Path) -> tuple[tuple[DeployEnvironment, ...], tuple[str, ...]]:
    """The environments of a file, and warnings of what is not used. Raises UserError with every problem."""
    problems: list[Problem] = []
    warnings: list[str] = []
    body = file.data if isinstance(file.data, Mapping) else {}
    if not isinstance(file.data, Mapping):
        problems.append(Problem("It is an object with lists of endpoints.", file.where()))
    found = []
    for kind, index, entry in _entries(body, file, problems, warnings):
        made = _Entry(file, (kind, index), entry, problems, warnings)
        found.append(made.environment(_KINDS[kind], folder))
    if problems:
        raise file.unusable(problems)
    return tuple(found), tuple(warnings)


def _entries(
    body: Mapping[str, Any], file: YamlFile, problems: list[Problem], warnings: list[str]
) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for key, listed in body.items():
        if key not in _KINDS:
            warnings.append(f"{file.where(key)}: {key!r} is not used; known are {known_names(_KINDS)}.")
            continue
        for index, entry in enumerate(listed if isinstance(listed, list) else [listed]):
            if isinstance(entry, Mapping) and entry.get("ENV_NAME"):
                yield key, index, entry
            else:
                problems.append(Problem("An entry is an object with ENV_NAME.", file.where(key, index)))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry with its place, and where its problems and warnings go."""

    file: YamlFile
    place: tuple[str, int]
    body: Mapping[str, Any]
    problems: list[Problem]
    warnings: list[str]

    def environment(self, kind: _Kind, folder: Path) -> DeployEnvironment:
        used = {*_COMMON, kind.endpoint, *kind.options}
        for key in self.body:
            if key not in used:
                why = _NOT_USED.get(str(key), "nothing here reads it")
                self.warnings.append(f"{self.where(key)}: {key} is not used: {why}.")
        options = {name: self.body[key] for key, name in kind.options.items() if self.body.get(key)}
        keys = {name: key for key, name in kind.options.items()}
        options = {**kind.fixed, **options}
        self.problems.extend(
            option_problems(
                kind.target, options, lambda place: self.where(*(keys[key] for key in place if key in keys))
            )
        )
        return DeployEnvironment(
            name=self._name(),
            target=kind.target,
            endpoint=str(self.body.get(kind.endpoint) or "") or None,
            variables=self._variables(),
            connections=tuple(map(str, self.body.get("CONNECTION_NAMES") or ())),
            instances=self._value("DEPLOYMENT_INSTANCE_COUNT", int, 1),
            cpu=self._value("CPU_ALLOCATION", float, None),
            memory_mb=self._value("MEMORY_ALLOCATION", lambda text: parse_memory(str(text)), None),
            test=EndpointTest(file=self._test_file(folder)),
            traffic=self._percent(),
            options=options,
            where=self.where(),
        )

    def _name(self) -> str:
        """Aliases and files are called after it."""
        name = str(self.body["ENV_NAME"])
        try:
            require_alias(f"production@{name}")
        except UserError as error:
            self.problems.append(Problem(error.message, self.where("ENV_NAME"), error.hint))
        return name

    def where(self, *keys: str) -> str:
        return self.file.where(*self.place, *keys)

    def _value(self, key: str, convert: Callable[[Any], Any], usual: Any) -> Any:
        """A number, which may stand in quotes."""
        given = self.body.get(key)
        if given in (None, ""):
            return usual
        try:
            return convert(given)
        except (TypeError, ValueError):
            self.problems.append(Problem(f"{key} cannot be {given!r}.", self.where(key)))
            return usual

    def _percent(self) -> int:
        percent = self._value("CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION", int, 100)
        if not 1 <= percent <= 100:
            message = f"The new deployment gets 1 to 100 percent, not {percent}."
            self.problems.append(Problem(message, self.where("CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION")))
        return int(percent)

    def _variables(self) -> dict[str, str]:
        given = self.body.get("ENVIRONMENT_VARIABLES") or {}
        if not isinstance(given, Mapping):
            self.problems.append(Problem("It is an object.", self.where("ENVIRONMENT_VARIABLES")))
            return {}
        for name in map(str, given):
            where = self.where("ENVIRONMENT_VARIABLES", name)
            if name == SIMULATE_VARIABLE:
                self.problems.append(Problem(f"{name} would have a simulated model answer.", where))
            elif not _VARIABLE.fullmatch(name):
                self.problems.append(Problem(f"{name!r} cannot be the name of a variable.", where))
        return {str(name): str(value) for name, value in given.items()}

    def _test_file(self, folder: Path) -> Path | None:
        """Where it is: the template names it from the root of the repository, or from the use case."""
        given = self.body.get("TEST_FILE_PATH")
        if not given:
            return None
        places = [folder / str(given), folder.parent / str(given)]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            self.problems.append(Problem(f"There is no file {given}.", self.where("TEST_FILE_PATH")))
        return found
