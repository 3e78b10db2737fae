"""A virtual environment of the flow's own, built once from what the flow requires."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowyard import __version__
from flowyard._util.worker_command import WORKER_MODULE
from flowyard.errors import UserError
from flowyard.sessions.environments.build_log import BuildLog
from flowyard.sessions.environments.built import BuildNote, Built, BuiltEnvironments, Hold, key_of
from flowyard.sessions.environments.installer import Installer, choose_installer, python_of, site_packages_of
from flowyard.sessions.environments.own_packages import (
    Package,
    link_packages,
    not_met,
    own_packages,
    own_requirements,
    packages_in,
    require_compatible_pins,
)
from flowyard.sessions.environments.own_source import package_folder
from flowyard.sessions.environments.requirements import Requirements
from flowyard.sessions.environments.worker_environment import WorkerCommand, WorkerEnvironment
from flowyard.settings import inherited_environment

__all__ = ["VenvEnvironment", "open_venv"]

_RECIPE = "1"
"""Raise it when environments are built in another way, so that none of the old ones is used."""


class VenvEnvironment(WorkerEnvironment):
    """A built virtual environment in the folder ``folder``, held until ``close``."""

    def __init__(self, folder: Path, hold: Hold) -> None:
        self.folder = folder
        self._hold = hold

    def command(self, module: str = WORKER_MODULE) -> WorkerCommand:
        """See WorkerEnvironment. Programs that the flow's packages bring are found first, as in an activated one."""
        python = python_of(self.folder)
        inherited = inherited_environment()
        environ = {"VIRTUAL_ENV": str(self.folder)}
        environ["PATH"] = os.pathsep.join(filter(None, [str(python.parent), inherited.get("PATH")]))
        if "PYTHONHOME" in inherited:
            environ["PYTHONHOME"] = ""  # it names the Python of somebody else; empty is as good as not set
        return WorkerCommand((str(python), "-P", "-m", module), environ)

    def close(self) -> None:
        """See WorkerEnvironment."""
        self._hold.release()


def open_venv(flow: str, requirements: Requirements, *, home: Path, say: Callable[[str], None]) -> VenvEnvironment:
    """The environment of these requirements, built first when there is none. ``flow`` is a name for people.

    Raises UserError when they cannot be met, or not together with what flowyard needs; OutsideError when the network
    or the disk fails.
    """
    require_compatible_pins(requirements)
    installer = choose_installer(inherited_environment())

    def build(folder: Path, log: BuildLog) -> BuildNote:
        count = len(requirements.packages)
        log.say(f"Building a virtual environment with {installer.name}: {flow}, {count} requirements …")
        _build(folder, requirements, installer, log)
        return BuildNote("venv", flow, installer.name, tuple(requirements.shown()))

    environments = BuiltEnvironments(home)
    built, hold = environments.use(_key(requirements), build, say=say, usable=_usable)
    return VenvEnvironment(built.folder / "venv", hold)


def _usable(built: Built) -> bool:
    """Whether the environment's Python is still there: it is a link to the one that it was made of."""
    return python_of(built.folder / "venv").exists()


def _key(requirements: Requirements) -> str:
    own = own_packages().values()
    return key_of(
        {
            "recipe": f"venv {_RECIPE}",
            "requirements": requirements.fingerprint(),
            "python": f"{sys.implementation.cache_tag} {platform.python_version()} {sys.base_prefix}",
            "platform": f"{sys.platform} {platform.machine()}",
            "flowyard": f"{__version__} {package_folder()} {sorted(map(str, own_requirements()))}",
            "own packages": "\n".join(sorted(f"{each.name} {each.version} {each.entries}" for each in own)),
        }
    )


def _build(folder: Path, requirements: Requirements, installer: Installer, log: BuildLog) -> None:
    venv = folder / "venv"
    environ = inherited_environment()
    environ.pop("PYTHONPATH", None)
    log.run(installer.make(venv), env=environ, where=None, doing="Making a virtual environment")
    _install(venv, requirements, (), installer, log)
    _show_flowyard(folder, venv, requirements, installer, log)


def _install(venv: Path, requirements: Requirements, more: Iterable[str], installer: Installer, log: BuildLog) -> None:
    """Install what the flow requires and ``more`` in one step, so that versions suit all of it."""
    more = tuple(more)
    if not requirements.packages and not more:
        return
    environ = inherited_environment()
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_TARGET"):
        environ.pop(name, None)
    with _files(venv.parent, requirements, more) as options:
        argv = [*installer.install(venv), *options]
        log.run(argv, env=environ, where=str(requirements.file), doing="Installing the flow's requirements")


@contextmanager
def _files(folder: Path, requirements: Requirements, more: Iterable[str]) -> Iterator[list[str]]:
    """Files for the installer, as options, that are deleted afterwards: addresses in them may hold passwords."""
    packages = [*requirements.options, *requirements.packages]
    with tempfile.TemporaryDirectory(dir=folder, prefix="requirements-") as place:
        file, limits = Path(place) / "requirements.txt", Path(place) / "constraints.txt"
        file.write_text("".join(f"{line}\n" for line in [*(each.render() for each in packages), *more]), "utf-8")
        limits.write_text("".join(f"{each.render()}\n" for each in requirements.constraints), "utf-8")
        yield ["-r", str(file), *(["-c", str(limits)] if requirements.constraints else [])]


def _show_flowyard(folder: Path, venv: Path, requirements: Requirements, installer: Installer, log: BuildLog) -> None:
    """Make flowyard importable, after the flow's own packages.

    What flowyard needs is shown from this Python. Where that does not go with what the flow has installed, it is
    installed instead, in versions that suit both.
    """
    own, theirs = own_packages(), packages_in(site_packages_of(venv))
    shown: Iterable[Package] = own.values()
    if not_met({**own, **theirs}) or not link_packages(shown, folder / "own"):
        log.say("Installing what flowyard itself needs beside the flow's packages …")
        _install_own(venv, requirements, installer, log, not_met({**own, **theirs}))
        link_packages((), folder / "own")
    path_file = site_packages_of(venv) / "zzz_flowyard.pth"
    path_file.write_text(f"{folder / 'own'}\n", "utf-8")


def _install_own(
    venv: Path, requirements: Requirements, installer: Installer, log: BuildLog, reasons: list[str]
) -> None:
    try:
        _install(venv, requirements, map(str, own_requirements()), installer, log)
    except UserError as error:
        because = "; ".join(reasons)
        raise UserError(
            f"The flow's requirements do not go with those of flowyard, which runs it: {because}.\n{error.message}",
            hint=f"Ask for other versions in {requirements.file}, or leave them open. {error.hint}",
            where=error.where,
        ) from None
