"""The use case ``shop`` beside an engine and a package index of the tests' own; and containers of its image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from container_engine import EngineOfTests
from deploy_helper import Shop
from environments_helper import make_wheel, wheels_of_own_packages
from functional_helper import Completed

KEY = "key-s3cret-canary"
IN_ENV_FILE = "dotenv-s3cret-canary"


def make_index(folder: Path) -> Path:
    """Wheels of what flowyard needs, and of the package that the flow of these tests requires."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("what is installed here does not run in the base image, which has Python 3.11")
    wheels_of_own_packages(folder)
    make_wheel(folder, "tinylib", "1.2")
    make_wheel(folder, "tinylib", "1.3")
    return folder


TOOL = """\
import os

import tinylib
from promptflow.core import tool


@tool
def work(x: str):
    if x == "who":
        return f"{os.getuid()} {os.access('/service', os.W_OK)} {os.access('/opt/flowyard', os.W_OK)}"
    return f"%s {x} {tinylib.version}"
"""


def make_shop(folder: Path) -> Shop:
    """The use case with one registered version; secrets lie about where they usually do."""
    shop = Shop(folder / "shop")
    shop.write_flow("hi", TOOL)
    (shop.root / "flow" / "requirements.txt").write_text("promptflow\ntinylib<1.3\n")
    (shop.root / "flow" / ".env").write_text(f"SOME_KEY={IN_ENV_FILE}\n")
    shop.json("registry", "register", "flow", "--name", "shop")
    return shop


@dataclass(frozen=True)
class Yard:
    """All of it together. ``variables`` make commands find the engine and the index."""

    shop: Shop
    engine: EngineOfTests
    variables: dict[str, str]

    def json(self, *words: str, code: int = 0) -> Any:
        return self.shop.json(*words, code=code, **self.variables)

    def run(self, *words: str) -> Completed:
        return self.shop(*words, **self.variables)

    def inside(self, image: str, *words: str) -> str:
        return self.engine.docker("run", "--rm", "--read-only", "--network", "none", image, *words)

    @contextmanager
    def serving(self, image: str) -> Iterator[tuple[str, int]]:
        """A container of the image as careful people start it; gives its name and port."""
        port = free_port()
        words = ["run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "host"]
        words += [
            "--security-opt",
            "no-new-privileges",
            "--health-interval",
            "1s",
            "--env",
            f"FLOWYARD_SERVE_KEY={KEY}",
        ]
        command = ["flowyard", "flow", "serve", "--source", "flow/flow.dag.yaml", "--host", "127.0.0.1"]
        name = self.engine.docker(*words, image, *command, "--port", str(port)).strip()
        try:
            self._wait_for_health(name)
            yield name, port
        finally:
            self.engine.docker("rm", "--force", name)

    def _wait_for_health(self, name: str) -> None:
        until = time.monotonic() + 90
        while (state := self._state(name))["Health"]["Status"] != "healthy":
            logs = subprocess.run(
                ["docker", "logs", name], env={**os.environ, **self.engine.variables}, capture_output=True, check=False
            )
            assert state["Running"], logs.stderr
            assert time.monotonic() < until, (state, logs.stderr)
            time.sleep(0.2)

    def _state(self, name: str) -> Any:
        return json.loads(self.engine.docker("inspect", name))[0]["State"]


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def score(port: int, x: str, key: str | None = KEY) -> tuple[int, Any]:
    """Status and body of a request to ``/score``."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/score", json.dumps({"x": x}).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
