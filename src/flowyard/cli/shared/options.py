"""Options that several commands share, and values in the forms that ``pf`` takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.suggest import missing_file_hint
from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError
from flowyard.llm.envfile import read_env
from flowyard.settings import Settings
from flowyard.store import SqlStore

__all__ = [
    "SpreadCommand",
    "environment_option",
    "environment_variables",
    "names_a_file",
    "open_store",
    "pairs",
    "pairs_or_file",
    "read_settings",
    "running_options",
    "settings_options",
    "store_options",
    "typed_pairs",
    "typed_value",
    "user_options",
    "values_or_file",
]

_NEAREST = "the nearest .env"

F = TypeVar("F", bound=Callable[..., Any])


class SpreadCommand(click.Command):
    """Lets options that repeat take several values at once: ``--inputs a=1 b=2`` is ``--inputs a=1 --inputs b=2``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        expanded: list[str] = []
        current: str | None = None
        filled = False
        for word in args:
            if word.startswith("-") and word != "-":
                name = word.partition("=")[0]
                current, filled = (name if name in spread else None), False
            elif current and filled:
                expanded.append(current)
            filled = bool(current) and (not word.startswith("-") or "=" in word)
            expanded.append(word)
        return super().parse_args(ctx, expanded)


_home = click.option("--home", metavar="DIR", help="Where runs are kept (default: .flowyard at the project's root).")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")


def store_options(command: F) -> F:
    """``--home`` and ``--json``."""
    return _home(_as_json(command))


def settings_options(command: F) -> F:
    """Where runs and connections are, and whether models are simulated."""
    env_file = click.option("--env-file", metavar="FILE", help="Read connections from this .env file.")
    simulate = click.option("--simulate", metavar="RULES", help="Answer every model call by these simulation rules.")
    return _home(env_file(simulate(command)))


def environment_option(command: F) -> F:
    """``--environment-variables``, which ``environment_variables`` reads."""
    return click.option(
        "--environment-variables",
        multiple=True,
        is_flag=False,
        flag_value=_NEAREST,
        metavar="k=v…|FILE",
        help="Variables for the flow's code, or a .env file; alone: the nearest .env.",
    )(command)


def running_options(command: F) -> F:
    """What every command that may call a model takes."""
    return settings_options(_as_json(command))


def user_options(command: F) -> F:
    """``--home`` and ``--json`` of what belongs to a person and not to a project."""
    home = click.option("--home", metavar="DIR", help="flowyard's folder (default: FLOWYARD_HOME, or your own).")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
    return home(as_json(command))


def read_settings(home: str | None, env_file: str | None = None, simulate: str | None = None) -> Settings:
    """Settings from the shared options, which hold for what this command starts, too."""
    settings = Settings.read(home=home, env_file=env_file, simulate=simulate)
    settings.hand_down()
    return settings


def open_store(home: str | None) -> SqlStore:
    """The store of the shared option ``--home``."""
    settings = read_settings(home)
    return SqlStore(settings.home, settings.store)


def pairs(items: Iterable[str], option: str) -> dict[str, str]:
    """``k=v`` items as a mapping; quotes around a value are taken off. Raises UserError."""
    found: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{option} takes name=value, not {item!r}.")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[key.strip().strip("'\"")] = value
    return found


def typed_pairs(items: Iterable[str], option: str) -> dict[str, Any]:
    """``k=v`` items whose values are read as YAML, so that ``0.5`` is a number; what is no YAML is text."""
    return {name: typed_value(text) for name, text in pairs(items, option).items()}


def typed_value(text: str) -> Any:
    """What a text of the command line is as YAML; what is no YAML is text."""
    try:
        return parse_yaml(text, Path("--parameter")).data
    except UserError:
        return text


def values_or_file(items: tuple[str, ...], option: str) -> dict[str, Any]:
    """``k=v`` items, or one .json or .jsonl file (its first line). Raises UserError."""
    if len(items) == 1 and Path(items[0]).suffix in (".json", ".jsonl") and names_a_file(items[0]):
        return _from_file(Path(items[0]))
    return dict(pairs(items, option))


def pairs_or_file(items: tuple[str, ...], option: str) -> dict[str, str] | str:
    """``k=v`` items, or the path of one file. Raises UserError."""
    if items == (_NEAREST,):
        return str(_nearest_env(option))
    if len(items) == 1 and names_a_file(items[0]):
        return items[0]
    return pairs(items, option)


def environment_variables(items: tuple[str, ...]) -> dict[str, str]:
    """The values of ``--environment-variables``, those of a file read. Raises UserError."""
    found = pairs_or_file(items, "--environment-variables")
    return found if isinstance(found, dict) else read_env(Path(found))


def _nearest_env(option: str) -> Path:
    here = Path.cwd()
    found = next((folder / ".env" for folder in (here, *here.parents) if (folder / ".env").is_file()), None)
    if found is None:
        raise UserError(f"{option}: there is no .env in {here} or above.", hint="Name a file, or k=v.")
    return found


def names_a_file(item: str) -> bool:
    """Whether a word is the path of a file, there or not, rather than ``k=v``, whose value may look like a path."""
    return "=" not in item or Path(item).is_file()


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"File not found: {path}", hint=missing_file_hint(path))
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".jsonl":
        text = next((line for line in text.splitlines() if line.strip()), "")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds a JSON {type(values).__name__}, not an object of inputs.")
    return values
