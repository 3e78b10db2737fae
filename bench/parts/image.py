"""How large a flow's image is, beside what ``pf flow build`` gives from the same base image, on a real engine.

promptflow's Dockerfile makes a conda environment with Python 3.9 and installs runit and gcc, none of which can be had
without conda's servers. What is measured is less than that: its pip commands in a virtual environment of the base
image, and its context. So the real difference is larger.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.flows import python_node_flow
from bench.places import FLOWYARD, PEER_PF, PEER_PYTHON, ROOT, SCRATCH, has_peer, own_env, peer_env
from bench.table import Row
from bench.timing import say

_BASE = "python:3.11-slim"
_PEER_NEEDS = ("promptflow", "promptflow-tools", "keyrings.alt", "gunicorn==22.0.0", "uvicorn>=0.27.0,<1.0.0")
_PEER_DOCKERFILE = """\
FROM {base} AS build
ARG PIP_INDEX_URL
RUN python3 -m venv /opt/pf && /opt/pf/bin/pip install --no-cache-dir {needs}
FROM {base}
COPY --from=build /opt/pf /opt/pf
COPY . /
"""


def run(runs: int) -> list[Row]:
    """Once: a size is no matter of luck."""
    del runs
    for folder in ("tests/functional/helpers", "tests"):
        sys.path.insert(0, str(ROOT / folder))
    from container_engine import PROGRAMS, running_engine  # noqa: PLC0415 - the engine of the tests
    from environments_helper import wheels_of_own_packages  # noqa: PLC0415
    from package_index import package_index  # noqa: PLC0415

    if os.getuid() != 0 or not all(map(shutil.which, PROGRAMS)) or sys.version_info[:2] != (3, 11):
        say("image: needs root, dockerd, debootstrap and Python 3.11")
        return []
    wheels = SCRATCH / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    wheels_of_own_packages(wheels)
    if has_peer():
        _fetch_peer_wheels(wheels)
    with running_engine() as engine, package_index(wheels) as pip:
        variables = {**engine.variables, **pip, "DOCKER_BUILDKIT": "0"}
        base = _size(variables, _BASE)
        ours = _size(variables, _own_image(variables))
        peer = _size(variables, _peer_image(variables)) if has_peer() else None
    return _rows(base, ours, peer)


def _rows(base: int, ours: int, peer: int | None) -> list[Row]:
    what = f"1 python node on {_BASE} of {base / 1e6:.0f} MB; promptflow without its conda, runit and gcc"
    rows = []
    for figure, less in (("image", 0), ("image without its base", base)):
        own, other = ours - less, None if peer is None else peer - less
        ratio = None if other is None else other / own
        rows.append(Row("image", f"{figure}, size", _text(own), _text(other), ratio, 2, what))
    return rows


def _text(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f} MB"


def _size(variables: Mapping[str, str], image: str) -> int:
    return int(_run(["docker", "image", "inspect", "--format", "{{.Size}}", image], variables))


def _own_image(variables: Mapping[str, str]) -> str:
    home = SCRATCH / "image_home"
    shutil.rmtree(home, ignore_errors=True)
    env = {**own_env(), **variables, "FLOWYARD_HOME": str(home)}
    _run([*FLOWYARD, "registry", "register", str(python_node_flow()), "--name", "bench"], env)
    _run([*FLOWYARD, "image", "build", "--version", "bench:1", "--base-image", _BASE], env)
    return _run(["docker", "images", "--quiet", "--filter", "label=flowyard.version=bench:1"], env).strip()


def _fetch_peer_wheels(folder: Path) -> None:
    words = [PEER_PYTHON, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", folder]
    _run([*words, *_PEER_NEEDS], {})


def _peer_image(variables: Mapping[str, str]) -> str:
    """What ``pf flow build`` writes, with the steps in its Dockerfile that can be done here."""
    context = SCRATCH / "peer_image"
    shutil.rmtree(context, ignore_errors=True)
    _run(
        [PEER_PF, "flow", "build", "--source", python_node_flow(), "--output", context, "--format", "docker"],
        peer_env(HOME=str(SCRATCH)),  # it refuses a home of its own that is not below the person's
    )
    needs = " ".join(f"'{each}'" for each in _PEER_NEEDS)
    (context / "Dockerfile").write_text(_PEER_DOCKERFILE.format(base=_BASE, needs=needs), "utf-8")
    words = ["docker", "build", "--network", "host", "--build-arg", "PIP_INDEX_URL", "--tag", "peer", str(context)]
    _run(words, variables)
    return "peer"


def _run(words: list[str | Path], variables: Mapping[str, str]) -> str:
    done = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{words[:4]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout
