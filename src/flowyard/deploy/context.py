"""A folder that ``docker build`` turns into an image which serves a flow; every file in it can be read.

It holds no secret: connections come from environment variables when the container starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard import __version__
from flowyard._util.files import dump_json
from flowyard.deploy.snapshot import write_snapshot
from flowyard.errors import Conflict
from flowyard.flows.model import Flow
from flowyard.llm.connection import Connection
from flowyard.sessions.environments.requirements import stood_in_for

__all__ = ["write_context"]

_DOCKERFILE = """\
ARG BASE_IMAGE={base}
FROM ${{BASE_IMAGE}}

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 10001 flowyard
WORKDIR /service
COPY requirements.txt ./
RUN python -m pip install -r requirements.txt
COPY connections ./connections
COPY flow ./flow
RUN mkdir .flowyard && chown flowyard .flowyard
USER flowyard

EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \\
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=2)"]
CMD ["flowyard", "flow", "serve", "--source", "{source}", "--host", "0.0.0.0", "--port", "8080"]
"""

_README = """\
# {name}

Build and run:

    docker build -t {name} .
    docker run -p 8080:8080 --env-file settings.env {name}

`settings.env` names every variable that the service needs; fill in the values, and keep the file out of the repository.
`FLOWYARD_SERVE_KEY` is the key that callers send as `Authorization: Bearer …`.

    curl -H "Authorization: Bearer $FLOWYARD_SERVE_KEY" -d '{body}' http://127.0.0.1:8080/score
"""


def write_context(flow: Flow, connections: Iterable[Connection], output: Path) -> list[Path]:
    """Write the build context of a flow, with its chosen variants, and return the files at its top.

    ``connections`` are those the flow uses. Raises Conflict when ``output`` holds anything already.
    """
    if output.exists() and any(output.iterdir()):
        raise Conflict(f"{output} is not empty.", hint="Name a new folder with --output.")
    output.mkdir(parents=True, exist_ok=True)
    source = write_snapshot(flow, output / "flow")
    (output / "connections").mkdir()
    variables = {"FLOWYARD_SERVE_KEY": ""}
    for connection in connections:
        variables |= _write_connection(connection, output / "connections")
    name = flow.name.lower().replace("_", "-")
    example = dump_json({key: declared.default or "…" for key, declared in flow.inputs.items()})
    texts = {
        "Dockerfile": _DOCKERFILE.format(base=_base_image(flow), source=f"flow/{source}"),
        ".dockerignore": "settings.env\n",
        "requirements.txt": _requirements(flow),
        "settings.env": "".join(f"{key}={value}\n" for key, value in variables.items()),
        "README.md": _README.format(name=name, body=example),
    }
    for file, text in texts.items():
        (output / file).write_text(text, "utf-8")
    return [output / file for file in texts]


def _base_image(flow: Flow) -> str:
    return str(flow.environment.get("image") or "python:3.12-slim")


def _requirements(flow: Flow) -> str:
    named = flow.environment.get("python_requirements_txt")
    file = flow.folder / str(named or "requirements.txt")
    own = file.read_text("utf-8-sig") if file.is_file() else ""
    kept = [line for line in own.splitlines() if not _is_promptflow(line)]
    return "\n".join([f"flowyard=={__version__}", *kept]) + "\n"


def _is_promptflow(line: str) -> bool:
    """Whether a requirement is the runtime that flowyard stands in for."""
    name = re.match(r"\s*([\w.-]+)", line)
    return bool(name and stood_in_for(name[1]))


def _write_connection(connection: Connection, folder: Path) -> Mapping[str, str]:
    """One YAML file with every secret as ``${env:…}``; returns those variables, empty."""
    prefix = str(connection.name).replace(" ", "_").replace("-", "_")
    variables = {key: f"{prefix}_{key}".upper() for key in connection.secrets}
    secrets = {key: f"${{env:{variable}}}" for key, variable in variables.items()}
    fields: dict[str, Any] = {key: value for key, value in connection.configs.items() if value is not None}
    body = {"configs": fields, "secrets": secrets} if connection.type == "custom" else {**fields, **secrets}
    with (folder / f"{connection.name}.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": connection.name, "type": connection.type, **body}, file)
    return dict.fromkeys(variables.values(), "")
