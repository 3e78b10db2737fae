"""``flowyard config``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.shared.options import pairs, read_settings, user_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.config import KEYS, PROJECT_FILE, USER_FILE, ConfigValue, set_config
from flowyard.errors import UserError

__all__ = ["config"]


@click.group()
def config() -> None:
    """Set and show what holds for all commands; a project's file wins over your own."""


@config.command("set")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE…")
@click.option("--path", metavar="DIR", help=f"Set it for the project in DIR, in its {PROJECT_FILE}.")
@user_options
def set_(values: tuple[str, ...], path: str | None, home: str | None, as_json: bool) -> None:
    """Set one or more keys, for you or, with --path, for one project."""
    if path is not None and not Path(path).is_dir():
        raise UserError(f"--path: there is no folder {path}.")
    wanted = pairs(values, "config set")
    if path is None:
        wanted = {key: _from_here(key, value) for key, value in wanted.items()}
    file = Path(path).resolve() / PROJECT_FILE if path else read_settings(home).user / USER_FILE
    made = set_config(file, wanted)
    for setting in made.values():
        _say_effect(setting, home)
    if as_json:
        print_json({"file": str(file), "set": {key: setting.value for key, setting in made.items()}})
    else:
        click.echo(f"Set in {file}: {', '.join(made)}.")


def _say_effect(setting: ConfigValue, home: str | None) -> None:
    if setting.without_effect:
        click.echo(f"{setting.key}: {setting.without_effect}.", err=True)
    elif (variable := _OVERRULED.get(setting.key)) and home is None and read_settings(None).environ.get(variable):
        print_warnings([f"{setting.key} has no effect while {variable} is set."])


_OVERRULED = {
    "run.output_path": "FLOWYARD_HOME",
    "store.url": "FLOWYARD_STORE",
    "registry.url": "FLOWYARD_REGISTRY",
    "registry.files": "FLOWYARD_REGISTRY_FILES",
    "tracking.url": "FLOWYARD_TRACKING",
    "connection.key_vault": "FLOWYARD_KEY_VAULT",
    "connection.secrets": "FLOWYARD_SECRETS",
}
"""Which variable of the environment goes over a key."""


def _from_here(key: str, value: str) -> str:
    """The user's file holds for every folder, so a path in it is said in full."""
    is_path = (
        key in ("run.output_path", "registry.files") and value.strip() and "${" not in value and "://" not in value
    )
    return str(Path(value).expanduser().resolve()) if is_path else value


@config.command()
@user_options
def show(home: str | None, as_json: bool) -> None:
    """Show what is set, and where."""
    settings = read_settings(home)
    if as_json:
        values = {key: {"value": each.value, "file": str(each.file)} for key, each in settings.config.items()}
        print_json({"settings": values, "runs": str(settings.home), "connections": str(settings.user / "connections")})
        return
    if settings.config:
        print_table(
            ["key", "value", "file"], [(each.key, each.value, str(each.file)) for each in settings.config.values()]
        )
    else:
        click.echo(f"Nothing is set. Keys: {', '.join(KEYS)}.")
    click.echo(f"Runs are kept in {settings.home}, connections in {settings.user / 'connections'}.")
