"""Running docker or buildah: short questions, and which settings of this machine a build is told."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.deploy.image.dockerfile import PIP_SETTINGS
from flowyard.errors import OutsideError

__all__ = ["Program", "build_arguments", "build_environ"]

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_WAIT_S = 900


@dataclass(frozen=True, slots=True)
class Program:
    """A program of this machine, started with ``environ``."""

    name: str
    environ: Mapping[str, str]

    def path(self) -> str:
        """Where it is. Raises OutsideError."""
        found = shutil.which(self.name, path=self.environ.get("PATH"))
        if found is None:
            raise OutsideError(f"There is no {self.name} on this machine.", hint="Install it, or use --builder.")
        return found

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What it answers. Raises OutsideError when it does not answer in time."""
        try:
            return subprocess.run(  # noqa: S603 - the engine's own program, no shell
                [self.path(), *words],
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OutsideError(f"{self.name} {words[0]} did not answer within {_WAIT_S} s.") from None

    def tell(self, *words: str) -> str:
        """What it answers. Raises OutsideError when it refuses."""
        done = self.ask(*words)
        if done.returncode:
            said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            problem = f"{self.name} {words[0]}: {said[-1][:500] if said else 'nothing was said'}"
            raise OutsideError(problem, hint=_hint(said[-1]) if said else None)
        return done.stdout


def _hint(said: str) -> str | None:
    """What to do when there is a program but no engine behind it; None for anything else."""
    lower = said.lower()
    if "connect to the docker daemon" not in lower and "connect to the docker api" not in lower:
        return None
    return "Start Docker, or let DOCKER_HOST say where it is. Without Docker: --builder buildah"


def build_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build: pip's index is also taken from the files in which pip keeps its settings."""
    return {**_configured(environ), **environ}


def build_arguments(environ: Mapping[str, str]) -> list[str]:
    """``--build-arg NAME`` for each setting that there is; the program takes the value from its environment.

    So no value is in a list of processes, and stages that are thrown away are the only ones that know it.
    """
    names = [name for name in (*PIP_SETTINGS, *_PROXIES) if environ.get(name)]
    return [word for name in names for word in ("--build-arg", name)]


def _configured(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings as variables; addresses of files are of no use in a build."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        variable = f"PIP_{name.partition('.')[2].upper().replace('-', '_')}"
        if name.startswith(("global.", "install.")) and variable in PIP_SETTINGS:
            words = [word for word in str(ast.literal_eval(value)).split() if not word.startswith(("file:", "/"))]
            found |= {variable: " ".join(words)} if words else {}
    return found
