"""A folder that ``docker build`` or ``buildah build`` turns into an image which serves a flow.

Every file in it can be read, and none holds a secret: connections come from variables when the container starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowyard._util.files import dump_json
from flowyard.deploy.image.connection_files import write_connections
from flowyard.deploy.image.content import FlowContent, write_files
from flowyard.deploy.image.dockerfile import DEFAULT_BASE, PORT, SBOM_PLACE, Recipe, dockerfile
from flowyard.deploy.image.names import DIGEST_LABEL, require_image_name
from flowyard.deploy.image.own_wheel import write_own_wheel
from flowyard.deploy.image.pins import Pins, PinsFor, pin_requirements, python_of_image
from flowyard.deploy.image.system_packages import SystemPackages, system_packages
from flowyard.errors import Conflict
from flowyard.flows.model import Flow
from flowyard.llm.connection import Connection
from flowyard.sessions.environments.requirements import Requirements, read_requirements

__all__ = ["BuildFolder", "base_image", "example_request", "write_context", "write_pins", "write_settings"]

_README = """\
# {title}

`flowyard flow build` wrote this folder. Build and run:

    docker build -t {title} .
    docker run --read-only --tmpfs /tmp -p {port}:{port} --env-file settings.env {title}

`settings.env` names every variable that the service needs; fill in the values, and keep the file out of the repository.
`FLOWYARD_SERVE_KEY` is the key that callers send as `Authorization: Bearer …`.

    curl -H "Authorization: Bearer $FLOWYARD_SERVE_KEY" -d '{body}' http://127.0.0.1:{port}/score

Where packages come from another index than pip's own, name it with `--build-arg PIP_INDEX_URL`, whose value is then
taken from the environment and is not kept in the image. `{sbom}` in the image says what is in it.
"""
_NOT_DONE = {
    "conda_file": "conda is not run: name packages in requirements.txt.",
    "conda_env_name": "conda is not run: name packages in requirements.txt.",
    "setup_sh": "it is not run: name system packages in environment.os_packages or apt.txt.",
}


@dataclass(frozen=True, slots=True)
class BuildFolder:
    """What was written: the files at its top, and what a person should know of it."""

    files: tuple[Path, ...]
    warnings: tuple[str, ...] = field(default=())


def write_context(
    content: FlowContent,
    connections: Iterable[Connection],
    output: Path,
    *,
    environ: Mapping[str, str],
    base: str | None = None,
) -> BuildFolder:
    """Write the build context of a flow with its connections; ``base`` is the image it starts from.

    Raises Conflict when ``output`` holds anything already, UserError for requirements that cannot be met.
    """
    require_empty(output)
    packages = system_packages(content.flow)
    base = require_image_name(base or base_image(content.flow))
    write_files(content, output / "flow")
    variables = write_connections(connections, output / "connections")
    _copy_inside(output)
    pins = write_pins(content.flow, output, python_of_image(base), environ)
    recipe = Recipe(
        base=base,
        title=content.title,
        version=(content.version_label or "").partition(":")[2] or content.digest[:12],
        definition=content.definition,
        packages=packages,
        has_hashes=pins.has_hashes,
        has_connections=(output / "connections").exists(),
        labels=_labels(content),
    )
    (output / "Dockerfile").write_text(dockerfile(recipe), "utf-8")
    _write_system_packages(packages, output)
    (output / ".dockerignore").write_text("settings.env\nREADME.md\n", "utf-8")
    write_settings(output, variables)
    readme = _README.format(title=content.title, body=example_request(content.flow), port=PORT, sbom=SBOM_PLACE)
    (output / "README.md").write_text(readme, "utf-8")
    warnings = [*pins.warnings, *_not_done(content.flow)]
    return BuildFolder(tuple(sorted(each for each in output.iterdir() if each.is_file())), tuple(warnings))


def require_empty(output: Path) -> None:
    """Make the folder. Raises Conflict when something is in it."""
    if output.exists() and any(output.iterdir()):
        raise Conflict(f"{output} is not empty.", hint="Name a new folder with --output.")
    output.mkdir(parents=True, exist_ok=True)


def base_image(flow: Flow) -> str:
    """The image that a flow names, or the usual one."""
    return str(flow.environment.get("image") or DEFAULT_BASE)


def write_pins(flow: Flow, output: Path, python: str | None, environ: Mapping[str, str]) -> Pins:
    """Write ``requirements.txt`` and ``wheels/``: flowyard and what the flow requires, every version pinned.

    Raises UserError for a requirements file that the flow names and that is not there, and for what cannot be met.
    """
    (output / "wheels").mkdir()
    named = flow.environment.get("python_requirements_txt")
    file = flow.folder / str(named or "requirements.txt")
    requirements = read_requirements(file) if named or file.is_file() else Requirements()
    wheel = write_own_wheel(output / "wheels")
    pins = pin_requirements(PinsFor(requirements, wheel, python, environ))
    (output / "requirements.txt").write_text(pins.text, "utf-8")
    return pins


def write_settings(output: Path, variables: Iterable[str]) -> None:
    """The names of all variables that the service needs, without a value."""
    names = dict.fromkeys(["FLOWYARD_SERVE_KEY", *variables])
    (output / "settings.env").write_text("".join(f"{name}=\n" for name in names), "utf-8")


def example_request(flow: Flow) -> str:
    """A body for ``/score``."""
    return dump_json({key: declared.default or "…" for key, declared in flow.inputs.items()})


def _labels(content: FlowContent) -> dict[str, str]:
    """Who asks an image what it is finds it by these names; none of them has a time."""
    found = {
        "org.opencontainers.image.title": content.title,
        "org.opencontainers.image.version": (content.version_label or "").partition(":")[2],
        "org.opencontainers.image.revision": content.revision or "",
        "flowyard.version": content.version_label or "",
        DIGEST_LABEL: content.digest,
        "flowyard.sbom": SBOM_PLACE,
    }
    return {name: value for name, value in found.items() if value}


def _write_system_packages(packages: SystemPackages, output: Path) -> None:
    for name, listed in (("apt.txt", packages.run), ("apt-build.txt", packages.build)):
        if listed:
            (output / name).write_text("".join(f"{each}\n" for each in listed), "utf-8")


def _not_done(flow: Flow) -> list[str]:
    return [f"environment.{key}: {why}" for key, why in _NOT_DONE.items() if flow.environment.get(key)]


def _copy_inside(target: Path) -> None:
    for name in ("health.py", "sbom.py"):
        shutil.copyfile(Path(__file__).parent / "inside" / name, target / name)
