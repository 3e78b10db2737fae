"""A container of an image that is built once from what the flow requires."""

from __future__ import annotations

import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from flowyard import __version__
from flowyard._util.worker_command import WORKER_MODULE
from flowyard.errors import UserError
from flowyard.sessions.environments.build_log import BuildLog
from flowyard.sessions.environments.built import BuildNote, Built, BuiltEnvironments, Hold, key_of
from flowyard.sessions.environments.engine import Engine, find_engine
from flowyard.sessions.environments.image import (
    DEFAULT_IMAGE,
    IMAGE_PYTHON,
    OWN_PLACE,
    STAGE_LABEL,
    dockerfile,
    write_build_context,
)
from flowyard.sessions.environments.own_packages import own_requirements, require_compatible_pins
from flowyard.sessions.environments.own_source import package_folder
from flowyard.sessions.environments.requirements import Requirements
from flowyard.sessions.environments.worker_environment import WorkerCommand, WorkerEnvironment

__all__ = ["ContainerEnvironment", "open_container"]


class ContainerEnvironment(WorkerEnvironment):
    """Containers of one image; each worker has one. ``folders`` are in them at the same paths, writable.

    The network is the machine's own, so that what listens on 127.0.0.1 is reached too. Files that the flow writes
    belong to the user. Variables of this process are not passed on: they would be seen by everyone who may ask the
    engine.
    """

    inherits_variables = False

    def __init__(self, engine: Engine, image: str, folders: tuple[Path, ...], hold: Hold) -> None:
        self._engine = engine
        self._image = image
        self._folders = folders
        self._hold = hold

    def paths_visible(self, paths: Iterable[Path]) -> ContainerEnvironment:
        """See WorkerEnvironment."""
        found = [path.resolve() for path in paths]
        for path in found:
            if not path.exists():
                raise UserError(f"{path} does not exist and cannot be shown to a container.")
        folders = tuple(dict.fromkeys([*self._folders, *found]))
        return ContainerEnvironment(self._engine, self._image, folders, self._hold)

    def command(self, module: str = WORKER_MODULE) -> WorkerCommand:
        """See WorkerEnvironment."""
        name = f"flowyard-{secrets.token_hex(8)}"
        words = ["run", "--interactive", "--rm", "--init", "--name", name, "--label", "flowyard=worker"]
        words += ["--network", "host", "--security-opt", "label=disable", *self._user()]
        words += ["--workdir", str(self._folders[0]), "--env", "HOME=/tmp", "--env", "PYTHONDONTWRITEBYTECODE=1"]
        words += ["--mount", _mount(package_folder(), f"{OWN_PLACE}/flowyard", read_only=True)]
        for folder in self._folders:
            words += ["--mount", _mount(folder, str(folder))]
        argv = (self._engine.program, *words, self._image, IMAGE_PYTHON, "-P", "-m", module)
        return WorkerCommand(argv, container=name)

    def end(self, command: WorkerCommand) -> None:
        """See WorkerEnvironment: the container outlives the program that started it when that is killed."""
        if command.container:
            self._engine.remove_container(command.container)

    def close(self) -> None:
        """See WorkerEnvironment."""
        self._hold.release()

    def _user(self) -> list[str]:
        """Options that make files belong to the user."""
        if sys.platform == "win32":
            return []
        own = ["--user", f"{os.getuid()}:{os.getgid()}"]
        return ["--userns", "keep-id", *own] if self._engine.name == "podman" and os.getuid() else own


def open_container(
    flow: str,
    flow_folder: Path,
    requirements: Requirements,
    *,
    image: str | None,
    home: Path,
    say: Callable[[str], None],
) -> ContainerEnvironment:
    """Containers of an image for these requirements, built first when there is none. ``image`` is what it starts from.

    Raises UserError when the requirements cannot be met or hold a password; OutsideError when no engine answers, or
    the network or the disk fails.
    """
    _require_no_password(requirements)
    require_compatible_pins(requirements)
    engine = find_engine()
    base = image or DEFAULT_IMAGE
    key = _key(requirements, base)
    tag = f"flowyard-session:{key}"

    def build(folder: Path, log: BuildLog) -> BuildNote:
        count = len(requirements.packages)
        log.say(f"Building an image with {engine.name} from {base}: {flow}, {count} requirements …")
        with tempfile.TemporaryDirectory(dir=folder, prefix="context-") as context:
            write_build_context(Path(context), requirements, map(str, own_requirements()), base=base)
            engine.build(Path(context), tag, {"BASE_IMAGE": base}, log, _where(requirements))
        engine.forget_stages(STAGE_LABEL)
        return BuildNote("container", flow, engine.name, tuple(requirements.shown()), image=tag)

    def usable(built: Built) -> bool:
        return built.note.tool == engine.name and engine.size_of(tag) is not None

    _, hold = BuiltEnvironments(home).use(key, build, say=say, usable=usable)
    return ContainerEnvironment(engine, tag, (flow_folder.resolve(),), hold)


def _require_no_password(requirements: Requirements) -> None:
    entry = requirements.with_password()
    if entry:
        raise UserError(
            "This line holds a password, which a container engine would keep.",
            hint="Take it out of the address, and set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment instead.",
            where=entry.where,
        )


def _where(requirements: Requirements) -> str | None:
    return str(requirements.file) if requirements.file else None


def _key(requirements: Requirements, base: str) -> str:
    own = sorted(map(str, own_requirements()))
    return key_of(
        {
            "recipe": dockerfile(base=base, has_constraints=bool(requirements.constraints)),
            "requirements": requirements.fingerprint(),
            "platform": platform.machine(),
            "flowyard": f"{__version__} {own}",
        }
    )


def _mount(source: Path, target: str, *, read_only: bool = False) -> str:
    """The value of ``--mount``, a line of CSV: a field with a comma or a quote stands in quotes."""
    fields = ["type=bind", f"source={source}", f"target={target}", *(["readonly"] if read_only else [])]
    quoted = ['"' + each.replace('"', '""') + '"' if set(each) & set(',"') else each for each in fields]
    return ",".join(quoted)
