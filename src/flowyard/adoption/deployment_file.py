"""``deployment.yaml`` of what the template's ``deployment_config.json`` says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.redact import may_be_secret, shows_secret
from flowyard._util.yamlfile import parse_yaml
from flowyard.adoption.model import LeftToDo, Mapped
from flowyard.adoption.yaml_text import yaml_text
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.file import parse_deployment_file
from flowyard.deploy.config.read import OWN_FILE, TEMPLATE_FILES
from flowyard.deploy.config.template import parse_template_file
from flowyard.errors import UserError
from flowyard.migration import read_structured

__all__ = ["Deployments", "read_deployments"]


_ADOPT_AGAIN = "Correct the file, and adopt again."


@dataclass(frozen=True, slots=True)
class Deployments:
    """The text of ``deployment.yaml`` and its place; no text when nothing of the file can be used."""

    place: str
    text: str | None
    mapped: tuple[Mapped, ...]
    left: tuple[LeftToDo, ...]


def read_deployments(root: Path, use_case: str) -> Deployments | None:
    """What the use case's file comes to; None when it has none, or a ``deployment.yaml`` already."""
    folder = root / use_case
    file = next((folder / name for name in TEMPLATE_FILES if (folder / name).is_file()), None)
    if file is None or (folder / OWN_FILE).exists():
        return None
    shown = file.relative_to(root).as_posix()
    place = f"{use_case}/{OWN_FILE}"
    try:
        found, warnings = parse_template_file(read_structured(file), folder)
    except UserError as error:
        problems = tuple(_problems(error, shown))
        none = LeftToDo(f"{shown}:1", f"No {OWN_FILE} is made of it, because of what is wrong in it.", _ADOPT_AGAIN)
        return Deployments(place, None, (), (none, *problems))
    return _written(found, warnings, folder, place, shown)


def _written(
    found: Iterable[DeployEnvironment], warnings: Iterable[str], folder: Path, place: str, shown: str
) -> Deployments:
    environments: dict[str, Any] = {}
    mapped: list[Mapped] = []
    left = [LeftToDo(f"{shown}:{_line(text)}", text.partition(": ")[2]) for text in warnings]
    for each in found:
        where = f"{shown}:{_line(each.where)}"
        if each.name in environments:
            message = f"{each.name!r} is there already; deployment.yaml has one place for each environment."
            left.append(LeftToDo(where, message, f"Add it under another name, with the target {each.target}."))
            continue
        entry = _entry(each, folder)
        problem = _refusal(each.name, entry, folder)
        if problem:
            left.append(LeftToDo(where, f"{each.name!r} is not in deployment.yaml: {problem}", "Add it by hand."))
            continue
        environments[each.name] = entry
        mapped.append(Mapped(where, f"environment {each.name}", f"{place}: environments.{each.name} ({each.target})"))
        left += [
            LeftToDo(where, f"The value of {name} looks like a secret, and was not carried over.", f"export {name}=…")
            for name in each.variables
            if entry["env"][name] != each.variables[name]
        ]
    comment = f"Made of {Path(shown).name}, which nothing reads any more."
    text = yaml_text({"environments": environments}, comment) if environments else None
    return Deployments(place, text, tuple(mapped), tuple(left))


def _entry(found: DeployEnvironment, folder: Path) -> dict[str, Any]:
    """An environment as the file has it; what is usual is left out."""
    test = {} if found.test.file is None else {"file": Path(os.path.relpath(found.test.file, folder)).as_posix()}
    entry: dict[str, Any] = {
        "target": found.target,
        "endpoint": found.endpoint,
        "env": _without_secrets(found.variables),
        "connections": list(found.connections),
        "instances": found.instances if found.instances != 1 else None,
        "cpu": found.cpu,
        "memory": f"{found.memory_mb}Mi" if found.memory_mb else None,
        "traffic": found.traffic if found.traffic != 100 else None,
        "test": test,
        "options": dict(found.options),
    }
    return {key: value for key, value in entry.items() if value or (key == "env" and found.variables)}


def _without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Values that look like secrets become references to the environment."""
    return {
        name: f"${{{name}}}" if shows_secret(value) or (may_be_secret(name) and value and "${" not in value) else value
        for name, value in variables.items()
    }


def _refusal(name: str, entry: Mapping[str, Any], folder: Path) -> str | None:
    """Why the strict reader would not take it; None when it does."""
    text = yaml_text({"environments": {name: entry}})
    try:
        parse_deployment_file(parse_yaml(text, folder / OWN_FILE), folder)
    except UserError as error:
        lines = [line.strip() for line in error.message.splitlines()[1:]]
        return " ".join(line.partition(": ")[2] or line for line in lines)
    return None


def _problems(error: UserError, shown: str) -> Iterator[LeftToDo]:
    lines = error.message.splitlines()
    if len(lines) == 1:
        yield LeftToDo(f"{shown}:{_line(error.where or '')}", error.message, _ADOPT_AGAIN)
    for line in lines[1:]:
        if line.startswith("  ") and not line.startswith("    "):
            where, _, message = line.strip().partition(": ")
            yield LeftToDo(f"{shown}:{_line(where)}", message, _ADOPT_AGAIN)


def _line(where: str) -> str:
    """The line of ``file:line``, also with more behind it."""
    numbers = [part.strip() for part in where.split(":")[1:2]]
    return numbers[0] if numbers and numbers[0].isdigit() else "1"
