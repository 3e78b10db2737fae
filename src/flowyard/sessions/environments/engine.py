"""A container engine, driven by its command line: docker, or podman."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowyard.errors import OutsideError
from flowyard.sessions.environments.build_log import BuildLog
from flowyard.settings import inherited_environment

__all__ = ["PASSED_ON", "Engine", "find_engine"]

_ENGINES = ("docker", "podman")
_ANSWER_S = 60
_MISSING = "Install Docker or podman, or use --session venv, which needs neither."
PASSED_ON = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_NO_INDEX", "PIP_DEFAULT_TIMEOUT"),
)
"""Settings of pip and the network that hold while an image is built, too; they do not become part of it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. ``name`` is its program's name, ``program`` the path of it."""

    name: str
    program: str

    def size_of(self, image: str) -> int | None:
        """Bytes of an image; None when there is no such image."""
        done = self._ask("image", "inspect", image)
        if done.returncode:
            return None
        return int(json.loads(done.stdout)[0]["Size"])

    def build(self, context: Path, image: str, arguments: Mapping[str, str], log: BuildLog, where: str | None) -> None:
        """Build the Dockerfile in a folder. Its own build arguments are given; pip's settings are passed on.

        Raises UserError and OutsideError, see BuildLog.
        """
        environ = inherited_environment()
        if self.name == "docker" and self._ask("buildx", "version").returncode:
            environ.setdefault("DOCKER_BUILDKIT", "0")
        given = [f"{name}={value}" for name, value in arguments.items()]
        given += [name for name in PASSED_ON if environ.get(name)]
        options = [word for each in given for word in ("--build-arg", each)]
        argv = [self.program, "build", "--network", "host", "--tag", image, *options, str(context)]
        log.run(argv, env=environ, where=where, doing=f"Building an image with {self.name}")

    def forget_stages(self, label: str) -> None:
        """Remove images without a name that have a label: stages in which pip knew its settings."""
        self._ask("image", "prune", "--force", "--filter", f"label={label}")

    def remove_image(self, image: str) -> None:
        """Remove an image. Raises OutsideError when it is there and stays."""
        done = self._ask("rmi", image)
        if done.returncode and self.size_of(image) is not None:
            raise OutsideError(f"{self.name} does not remove the image {image}: {done.stderr.strip()}")

    def remove_container(self, name: str) -> None:
        """Kill and remove a container; does nothing when there is none."""
        self._ask("rm", "--force", name)

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run([self.program, *words])


def find_engine(only: str | None = None) -> Engine:
    """The first container engine that answers, or the one of that name. Raises OutsideError when none does."""
    said: list[str] = []
    path = inherited_environment().get("PATH")
    for name in [only] if only else _ENGINES:
        program = shutil.which(name, path=path)
        done = _run([program, "version"]) if program else None
        if program and done and done.returncode == 0:
            return Engine(name, program)
        if done:
            said.append(f"{name} says: {_last_line(done.stderr or done.stdout)}")
    if said:
        what = "\n".join(["No container engine answers.", *said])
        raise OutsideError(what, hint="Start it, or use --session venv, which needs none.")
    raise OutsideError("There is no container engine on this machine: neither docker nor podman.", hint=_MISSING)


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The answer of a short command; one that takes too long has failed."""
    try:
        return subprocess.run(  # noqa: S603 - the engine that was found, no shell
            argv,
            check=False,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_ANSWER_S,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(argv), 124, "", f"no answer within {_ANSWER_S} s")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
