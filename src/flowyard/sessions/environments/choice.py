"""Opening the environment that a person chose for a flow's session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.flows.model import Flow
from flowyard.sessions.environments.worker_environment import WorkerEnvironment

__all__ = ["DEFAULT_KIND", "KINDS", "SessionChoice", "open_environment", "requirements_file"]

KINDS = ("current", "venv", "container")
DEFAULT_KIND = "current"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """The kind of environment that all sessions of a command get. ``home`` is the user's folder for flowyard.

    ``say`` tells a person about progress, and about what is missing.
    """

    kind: str
    home: Path
    say: Say

    def open(self, flow: Flow) -> WorkerEnvironment:
        """The environment for a flow; see ``open_environment``."""
        file = requirements_file(flow, by_custom=self.kind != "current")
        image = str(flow.environment["image"]) if flow.environment.get("image") else None
        return open_environment(self.kind, flow.folder, file, image=image, home=self.home, say=self.say, name=flow.name)


def requirements_file(flow: Flow, *, by_custom: bool = False) -> Path | None:
    """The requirements file that a flow names, whether it exists or not.

    With ``by_custom`` it is otherwise the ``requirements.txt`` in its folder, if there is one.
    """
    named = flow.environment.get("python_requirements_txt")
    if named:
        return flow.folder / str(named)
    usual = flow.folder / "requirements.txt"
    return usual if by_custom and usual.is_file() else None


def open_environment(
    kind: str,
    flow_folder: Path,
    requirements_file: Path | None,
    *,
    image: str | None = None,
    home: Path,
    say: Say,
    name: str | None = None,
) -> WorkerEnvironment:
    """The environment of that kind for a flow; built when it is needed for the first time, which can take minutes.

    ``image`` is the base image of a container. ``name`` is what people call the flow. With ``current``, requirements
    that are not met are told by ``say`` and nothing is raised. Raises UserError for requirements that cannot be met;
    OutsideError when the network, the disk or a container engine fails.
    """
    name = name or flow_folder.resolve().name
    if kind == "current":
        return _open_current(name, requirements_file, say)
    if kind == "venv":
        return _from("venv").open_venv(name, _read(requirements_file), home=home, say=say)  # type: ignore[no-any-return]
    if kind == "container":
        open_container = _from("container").open_container
        requirements = _read(requirements_file)
        return open_container(name, flow_folder, requirements, image=image, home=home, say=say)  # type: ignore[no-any-return]
    raise UserError(f"There is no session of the kind {kind!r}.", hint=did_you_mean(kind, KINDS) or f"Known: {KINDS}")


def _open_current(name: str, file: Path | None, say: Say) -> WorkerEnvironment:
    message = _from("installed").tell_missing(name, file) if file else None
    if message:
        say(message)
    return _from("current").open_current()  # type: ignore[no-any-return]


def _read(file: Path | None) -> Any:
    reader = _from("requirements")
    return reader.read_requirements(file) if file else reader.Requirements()


def _from(module: str) -> Any:
    """A module beside this one, imported when it is first needed: most commands need none of them."""
    return import_module(f"flowyard.sessions.environments.{module}")
