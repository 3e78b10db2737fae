"""What the commands of ``flowyard deploy`` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.suggest import missing_file_hint
from flowyard._util.yamlfile import read_yaml
from flowyard.abc import Target
from flowyard.app import App, open_app
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.read import read_deploy_config
from flowyard.deploy.names import require_deployment_name, require_path_part
from flowyard.deploy.targets import open_target
from flowyard.errors import NotFound, UserError
from flowyard.registry.labels import require_name
from flowyard.settings import inherited_environment

__all__ = ["Place", "deploy_options", "deployment_option", "open_place", "use_case_name"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a use case is deployed."""

    name: str
    environment: DeployEnvironment
    target: Target
    app: App
    path: Path

    @property
    def endpoint(self) -> str:
        return self.environment.endpoint_of(self.name)


def deploy_options(command: F) -> F:
    """``USECASE``, ``--env``, ``--target``, ``--home`` and ``--json``."""
    env = click.option("--env", required=True, metavar="NAME", help="The environment in deployment.yaml, such as dev.")
    target = click.option("--target", metavar="NAME", help="The target, where the environment has several.")
    return click.argument("path", metavar="USECASE")(env(target(store_options(command))))


def deployment_option(text: str) -> Callable[[F], F]:
    """``--deployment`` with that help; a name that no deployment can have is refused before anything is done."""

    def check(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        return None if value is None else require_deployment_name(value)

    return click.option("--deployment", metavar="NAME", help=text, callback=check)


def open_place(path: Path, env: str, target: str | None, home: str | None) -> Place:
    """Read the configuration of a use case and open its target. Raises UserError, NotFound."""
    settings = read_settings(home)
    if not path.exists():
        raise NotFound(f"There is no use case {path}.", hint=missing_file_hint(path))
    config = read_deploy_config(path)
    environment = config.find(env, target)
    name = require_path_part("A use case", use_case_name(path))
    require_path_part("An environment", environment.name)
    print_warnings(config.warnings)
    app = open_app(settings, path)
    opened = open_target(environment.target, settings.home, _environ(environment.target, app), environment.options)
    return Place(name, environment, opened, app, path)


def _environ(target: str, app: App) -> Mapping[str, str]:
    """What a target sees: a cloud's also ``.env`` and where the registry is; processes only what we inherited."""
    if not target.startswith("azure-"):
        return inherited_environment()
    registry = app.settings.registry
    return {**app.environ, **({"FLOWYARD_REGISTRY": registry} if registry else {})}


def use_case_name(path: Path) -> str:
    """The name in ``experiment.yaml``, which its flow is registered under; the folder's without one.

    Raises UserError for one that cannot be a name: folders are called after it.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "experiment.yaml"
    written = read_yaml(file) if file.is_file() else None
    named = written.data.get("name") if written is not None and isinstance(written.data, dict) else None
    try:
        return require_name(str(named) if named else folder.resolve().name)
    except UserError as error:
        where = written.where("name") if written is not None and named else None
        raise UserError(error.message, hint=error.hint, where=where) from None
