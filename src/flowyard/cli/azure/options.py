"""Which workspace and which environments a command of ``flowyard azure`` is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.suggest import known_names
from flowyard.azure.account.model import Finding, Needs
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.read import find_deploy_config, read_deploy_config
from flowyard.errors import NotFound, UserError
from flowyard.registry.stores.azure_ml_address import parse_place

__all__ = ["PlaceNames", "chosen_environments", "needs_of", "place_names", "place_options"]

F = TypeVar("F", bound=Callable[..., Any])

_AZURE_TARGETS = ("azure-ml", "azure-webapp")


@dataclass(frozen=True, slots=True)
class _Name:
    """``option`` of the command, ``keys`` of deployment.yaml and variables that may give it, ours first."""

    option: str
    keys: tuple[str, ...]
    variables: tuple[str, ...]
    look: str


_NAMES = (
    _Name(
        "subscription",
        ("subscription_id", "subscription"),
        ("AZURE_SUBSCRIPTION_ID", "SUBSCRIPTION_ID"),
        "az account list --output table",
    ),
    _Name(
        "resource_group",
        ("resource_group",),
        ("AZURE_RESOURCE_GROUP", "RESOURCE_GROUP_NAME"),
        "az group list --output table",
    ),
    _Name(
        "workspace", ("workspace",), ("AZUREML_WORKSPACE_NAME", "WORKSPACE_NAME"), "az ml workspace list --output table"
    ),
)


@dataclass(frozen=True, slots=True)
class PlaceNames:
    """What is known of the place; empty where nobody said it."""

    subscription: str = ""
    resource_group: str = ""
    workspace: str = ""

    def missing(self, *, workspace: bool = True) -> list[Finding]:
        """A finding for each that nobody said, with how to say it; the workspace only where one is needed."""
        return [
            Finding(
                each.option.replace("_", " "),
                "wrong",
                "Nobody says which.",
                f"--{each.option.replace('_', '-')} NAME, or {each.variables[0]}; this lists them: {each.look}",
                is_setting=True,
            )
            for each in _NAMES
            if not getattr(self, each.option) and (workspace or each.option != "workspace")
        ]


def place_options(command: F) -> F:
    """``[USECASE]``, ``--env``, ``--subscription``, ``--resource-group`` and ``--workspace``."""
    for option in (
        click.option("--workspace", metavar="NAME", help="The workspace of Azure ML."),
        click.option("--resource-group", metavar="NAME", help="The resource group of the workspace."),
        click.option("--subscription", metavar="ID", help="The subscription's id."),
        click.option("--env", "envs", multiple=True, metavar="NAME", help="An environment; may be repeated."),
        click.argument("path", metavar="[USECASE]", required=False),
    ):
        command = option(command)
    return command


def chosen_environments(path: str | None, envs: Sequence[str], *, must_exist: bool = True) -> list[DeployEnvironment]:
    """The environments of a use case that are deployed to Azure: those that are named, or all. Raises NotFound."""
    folder = Path(path or ".")
    if path is not None and not folder.exists():
        raise NotFound(f"There is no use case {path}.", hint="Name the folder with deployment.yaml.")
    if find_deploy_config(folder) is None:
        if must_exist and (path is not None or envs):
            read_deploy_config(folder)  # says what is missing
        return []
    config = read_deploy_config(folder)
    print_warnings(config.warnings)
    for name in envs:
        if not any(each.name == name for each in config.environments):
            config.find(name)  # says which there are
    return [each for each in config.environments if each.target in _AZURE_TARGETS and (not envs or each.name in envs)]


def needs_of(environments: Sequence[DeployEnvironment], path: str | None) -> tuple[Needs, ...]:
    """What they take of Azure."""
    name = use_case_name(Path(path or "."))
    return tuple(
        Needs(
            environment=each.name,
            target=each.target,
            endpoint=each.endpoint_of(name),
            instance_type=_managed_type(each.options),
            instances=each.instances,
            connections=each.connections,
        )
        for each in environments
    )


def _managed_type(options: Mapping[str, Any]) -> str | None:
    """A machine of Azure ML's; a Kubernetes cluster has its own."""
    given = options.get("instance_type")
    return str(given) if given and options.get("compute", "managed") == "managed" else None


def place_names(
    given: Mapping[str, str | None],
    environments: Sequence[DeployEnvironment],
    environ: Mapping[str, str],
    registry: str | None,
) -> PlaceNames:
    """From options, else deployment.yaml, else the environment, else the registry's address. Raises UserError."""
    found: dict[str, str] = {}
    online = [each for each in environments if each.target == "azure-ml"]
    for each in _NAMES:
        written = {str(one.options[key]) for one in online or environments for key in each.keys if one.options.get(key)}
        if not given.get(each.option) and len(written) > 1:
            raise UserError(
                f"The environments name several: {known_names(sorted(written))}.", hint="Choose with --env."
            )
        values = (given.get(each.option), *written, *(environ.get(name) for name in each.variables))
        found[each.option] = next((value for value in values if value), "")
    if not all(found.values()) and registry and registry.startswith("azureml://subscriptions/"):
        place = parse_place(registry)
        named = {"subscription": place.subscription, "resource_group": place.group, "workspace": place.name}
        found = {option: value or named[option] for option, value in found.items()}
    return PlaceNames(**found)
