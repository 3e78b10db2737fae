"""uv or pip: which of them builds a virtual environment, and the commands of both."""

from __future__ import annotations

import configparser
import os
import shutil
import sys
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Installer", "choose_installer", "python_of", "site_packages_of"]

_SOURCES = ("index-url", "extra-index-url", "find-links", "no-index")
"""Settings of pip that say where packages come from; uv does not read them."""


class Installer(ABC):
    """Makes virtual environments of this Python and installs into them."""

    name: str

    @abstractmethod
    def make(self, folder: Path) -> list[str]:
        """The command that makes an empty environment."""

    @abstractmethod
    def install(self, folder: Path) -> list[str]:
        """The start of the command that installs; ``-r FILE`` and ``-c FILE`` follow."""


class Uv(Installer):
    """uv, which is many times faster."""

    name = "uv"

    def __init__(self, program: str) -> None:
        self._program = program

    def make(self, folder: Path) -> list[str]:
        """See Installer."""
        return [self._program, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)]

    def install(self, folder: Path) -> list[str]:
        """See Installer. Two indexes are searched as pip does it, or the same file would give other packages."""
        strategy = ["--index-strategy", "unsafe-best-match"]
        return [self._program, "pip", "install", "--python", str(python_of(folder)), *strategy]


class Pip(Installer):
    """The pip of this Python where there is one, else one in the new environment."""

    name = "pip"

    def make(self, folder: Path) -> list[str]:
        """See Installer."""
        without = ["--without-pip"] if self._is_here() else []
        return [sys.executable, "-m", "venv", *without, str(folder)]

    def install(self, folder: Path) -> list[str]:
        """See Installer."""
        python = str(python_of(folder))
        pip = [sys.executable, "-m", "pip", "--python", python] if self._is_here() else [python, "-m", "pip"]
        return [*pip, "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]

    @staticmethod
    def _is_here() -> bool:
        return find_spec("pip") is not None


def choose_installer(environ: Mapping[str, str]) -> Installer:
    """uv when it is there and nothing tells pip where packages come from that uv would not see; else pip."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("uv", path=os.pathsep.join([environ.get("PATH", ""), beside]))
    own_settings = any(name.startswith(("UV_INDEX", "UV_DEFAULT_INDEX", "UV_FIND_LINKS")) for name in environ)
    if program and (own_settings or not _pip_has_sources(environ)):
        return Uv(program)
    return Pip()


def python_of(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def site_packages_of(folder: Path) -> Path:
    """Where a virtual environment of this Python has its packages."""
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))


def _pip_has_sources(environ: Mapping[str, str]) -> bool:
    if any(environ.get(f"PIP_{name.upper().replace('-', '_')}") for name in _SOURCES):
        return True
    return any(_names_sources(file) for file in _pip_files(environ) if file.is_file())


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its settings."""
    home = Path(environ.get("HOME") or Path.home())
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = [Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else []
    if sys.platform == "win32":
        return [*named, Path(environ.get("APPDATA", home)) / "pip" / "pip.ini", home / "pip" / "pip.ini"]
    return [*named, Path("/etc/pip.conf"), settings / "pip" / "pip.conf", home / ".pip" / "pip.conf"]


def _names_sources(file: Path) -> bool:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, "utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return True
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    return any(parser.has_option(section, name) for section in sections for name in _SOURCES)
