"""``flowyard azure setup``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flowyard.azure.setup import (
    AzureDevops,
    EnvironmentOrder,
    GitHub,
    SetupOrder,
    parse_devops,
    parse_github,
    script,
    setup_steps,
)
from flowyard.cli.azure.options import chosen_environments, place_names, place_options
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.errors import UserError

__all__ = ["setup"]


@click.command()
@place_options
@click.option("--print", "is_printed", is_flag=True, help="Print the commands. Nothing is ever run here.")
@click.option("--github", metavar="OWNER/REPO", help="Jobs of that repository log in, without a secret.")
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="With --github: also jobs on that branch.")
@click.option("--azure-devops", metavar="ORG/PROJECT", help="Pipelines of that project log in, without a secret.")
@click.option("--key-vault", metavar="NAME", help="The vault that the keys of connections are read from.")
@store_options
def setup(
    path: str | None,
    envs: tuple[str, ...],
    is_printed: bool,
    github: str | None,
    branches: tuple[str, ...],
    azure_devops: str | None,
    key_vault: str | None,
    home: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Print the commands of az, and of gh, that set up logins, roles and connections for USECASE.

    An application for each environment, trusted by its CI system, with the least roles that a deployment takes.
    """
    if not is_printed and not as_json:
        raise UserError(
            "The commands are only printed.", hint="flowyard azure setup --print > setup.sh; read it; sh setup.sh"
        )
    settings = read_settings(home)
    found = chosen_environments(path, envs, must_exist=path is not None)
    names = place_names(given, found, settings.environ, settings.registry)
    environments = _orders(found, envs)
    missing = names.missing(workspace=any(each.target == "azure-ml" for each in environments))
    if missing:
        raise UserError("\n".join(f"Nobody says which {each.what}." for each in missing), hint=missing[0].fix)
    order = SetupOrder(
        project=_project(path, github or azure_devops),
        subscription=names.subscription,
        resource_group=names.resource_group,
        workspace=names.workspace,
        environments=environments,
        ci=_ci(github, branches, azure_devops),
        key_vault=key_vault,
    )
    _print(order, as_json=as_json)


def _project(path: str | None, ci: str | None) -> str:
    """The use case, where there is one; else the repository or project, else this folder."""
    return use_case_name(Path(path or ".")) if path or not ci else ci.rpartition("/")[2]


def _print(order: SetupOrder, *, as_json: bool) -> None:
    steps = setup_steps(order)
    if not as_json:
        click.echo(script(steps), nl=False)
        return
    listed: list[dict[str, Any]] = [{"title": each.title, "why": each.why, "commands": each.lines()} for each in steps]
    print_json({"steps": listed, "script": script(steps)})


def _ci(github: str | None, branches: tuple[str, ...], devops: str | None) -> GitHub | AzureDevops | None:
    if github and devops:
        raise UserError("--github and --azure-devops exclude each other.", hint="Print one after the other.")
    if branches and not github:
        raise UserError("--branch goes with --github.")
    return parse_github(github, branches) if github else parse_devops(devops) if devops else None


def _orders(found: Sequence[DeployEnvironment], envs: Sequence[str]) -> tuple[EnvironmentOrder, ...]:
    """As deployment.yaml has them; without one, the names that were given, for Azure ML."""
    if not found and not envs:
        raise UserError(
            "Nobody says which environments.", hint="Name them: --env prod, or a USECASE with deployment.yaml."
        )
    if not found:
        return tuple(EnvironmentOrder(name) for name in envs)
    return tuple(_order(each) for each in found)


def _order(environment: DeployEnvironment) -> EnvironmentOrder:
    options = environment.options
    is_web = environment.target == "azure-webapp"
    return EnvironmentOrder(
        environment.name,
        environment.target,
        environment.connections,
        group=_text(options.get("resource_group")) if is_web else None,
        registry=_first_label(options.get("registry")) if is_web else None,
        vault=_first_label(options.get("key_vault")) if is_web else None,
        identity=_identity(options),
    )


def _identity(options: Mapping[str, Any]) -> str | None:
    """The one that deployment.yaml names, except the system's own, which is made with what it is for."""
    given = [*(options.get("identities") or []), options.get("identity")]
    return next((str(each) for each in given if each and each != "system"), None)


def _first_label(value: object) -> str | None:
    """A name, also of an address: ``NAME``, ``NAME.azurecr.io``, ``https://NAME.vault.azure.net``."""
    return str(value).removeprefix("https://").partition(".")[0] if value else None


def _text(value: object) -> str | None:
    return str(value) if value else None
