"""A folder that serves a flow on a machine without a container engine: ``./start`` makes its environment, once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from flowyard.deploy.image.connection_files import write_connections
from flowyard.deploy.image.content import FlowContent, write_files
from flowyard.deploy.image.context import BuildFolder, example_request, require_empty, write_pins, write_settings
from flowyard.deploy.image.system_packages import system_packages
from flowyard.llm.connection import Connection

__all__ = ["write_folder"]

_START = """\
#!/bin/sh
# Serve the flow: ./start [options of flowyard flow serve]. The environment is made on the first start.
set -eu
cd "$(dirname "$0")"
python=${{PYTHON:-python3}}
if ! cmp -s requirements.txt .venv/installed.txt; then
  rm -rf .venv
  "$python" -m venv .venv
  .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps {hashes}-r requirements.txt
  .venv/bin/python -m pip check --disable-pip-version-check
  cp requirements.txt .venv/installed.txt
fi
if [ -f settings.env ]; then
  # A line is NAME=value, as docker's --env-file reads it; what the environment has already goes first.
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      [A-Za-z_]*=?*)
        name=${{line%%=*}}
        if ! printenv "$name" >/dev/null; then export "$line"; fi
        ;;
    esac
  done < settings.env
fi
export FLOWYARD_HOME="${{FLOWYARD_HOME:-$PWD/.flowyard}}"
exec .venv/bin/flowyard flow serve --source {source} "$@"
"""
_README = """\
# {title}

This folder serves the flow without a container engine. It needs Python {python} on the same kind of machine as it was
made on, and pip's index for the packages in `requirements.txt`.

    ./start                                     # http://127.0.0.1:8080
    ./start --host 0.0.0.0 --port 9000          # needs FLOWYARD_SERVE_KEY

Fill in the values in `settings.env`, and keep the file out of the repository; variables of the environment go first.
{system}
    curl -d '{body}' http://127.0.0.1:8080/score
"""


def write_folder(
    content: FlowContent, connections: Iterable[Connection], output: Path, environ: Mapping[str, str]
) -> BuildFolder:
    """Write the folder. Raises Conflict when ``output`` holds anything already, UserError as ``write_pins`` does."""
    require_empty(output)
    packages = system_packages(content.flow)
    write_files(content, output / "flow")
    variables = write_connections(connections, output / "connections")
    pins = write_pins(content.flow, output, None, environ)
    write_settings(output, variables)
    hashes = "--require-hashes " if pins.has_hashes else ""
    start = output / "start"
    start.write_text(_START.format(hashes=hashes, source=_quoted(f"flow/{content.definition}")), "utf-8")
    start.chmod(0o755)
    system = f"\nPackages of the system that it needs: {', '.join(packages.run)}.\n" if packages.run else ""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    body = example_request(content.flow)
    text = _README.format(title=content.title, python=python, body=body, system=system)
    (output / "README.md").write_text(text, "utf-8")
    return BuildFolder(tuple(sorted(each for each in output.iterdir() if each.is_file())), pins.warnings)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
