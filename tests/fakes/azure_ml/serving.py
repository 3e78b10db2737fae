"""What is behind online deployments: a process for each, and the front door that hands requests to them."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp import web

Serve = Callable[[Path, Path], list[str]]
"""The command that serves the flow in a folder and writes its address to a file."""

_TRIES = 1200
_LOOK_S = 0.05


def by_flowyard(folder: Path, ready: Path) -> list[str]:
    """The server that images have in them."""
    words = ("flow", "serve", "--source", str(folder), "--host", "0.0.0.0", "--port", "0", "--ready-file", str(ready))
    return [sys.executable, "-m", "flowyard", *words]


def by_small_server(folder: Path, ready: Path) -> list[str]:
    """A server that starts at once, for tests that need many."""
    return [sys.executable, "-S", str(Path(__file__).with_name("small_server.py")), str(folder), str(ready)]


@dataclass
class Running:
    """The process of one deployment."""

    command: list[str]
    ready: Path
    log: Path
    variables: Mapping[str, str]
    process: subprocess.Popen[bytes]
    under_way: int = 0
    """Requests that it was handed and has not answered."""
    is_ending: bool = False

    def end(self) -> None:
        """Stop it, when its requests are answered."""
        self.is_ending = True
        if not self.under_way:
            self.process.terminate()

    @property
    def address(self) -> str:
        return self.ready.read_text().replace("0.0.0.0", "127.0.0.1")

    @property
    def state(self) -> Literal["starting", "ready", "ended"]:
        if self.process.poll() is not None:
            return "ended"
        return "ready" if self.ready.exists() and self.ready.read_text() else "starting"


class FakeServing:
    """``images`` are folders by the reference of the image; when there are none, nothing is served at all."""

    def __init__(self) -> None:
        self.images: dict[str, Path] = {}
        self.serve: Serve = by_small_server
        self.key = "first-key-of-the-endpoint"
        self.tokens: set[str] = set()
        self.address = ""
        self.traffic_of: Callable[[str], Mapping[str, int]] = lambda _: {}
        self._running: dict[str, Running] = {}
        self._ended: list[Running] = []
        self._chance = random.Random(7)
        self._session: aiohttp.ClientSession | None = None

    def start(self, place: str, image: str, variables: Mapping[str, str]) -> bool:
        """Start a deployment; False when there is no such image."""
        if image not in self.images:
            return False
        folder = Path(tempfile.mkdtemp(prefix="azure-"))
        ready, log = folder / "ready", folder / "log"
        command = self.serve(self.images[image], ready)
        self._running[place] = Running(command, ready, log, variables, _started(command, log, variables))
        return True

    def state(self, place: str) -> str:
        return self._running[place].state if place in self._running else "none"

    def log(self, place: str) -> str:
        running = self._running.get(place)
        return running.log.read_text("utf-8", "replace") if running and running.log.exists() else ""

    def stop(self, place: str) -> None:
        """Stop a deployment, which finishes its requests; of an endpoint, all."""
        for each in [name for name in self._running if name == place or name.startswith(f"{place}/")]:
            running = self._running.pop(each)
            running.end()
            self._ended.append(running)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request to an endpoint: its key, then the deployment that is named or that chance chooses."""
        endpoint, _, route = request.path.removeprefix("/api/v1/endpoint/").partition("/")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given != self.key and given not in self.tokens:
            return web.Response(status=401, text="key_auth_access_denied")
        traffic = {name: share for name, share in self.traffic_of(endpoint).items() if share}
        name = request.headers.get("azureml-model-deployment")
        if name is None and not traffic:
            return web.Response(status=503, text="no deployment gets requests")  # which status is not documented
        name = name or self._chance.choices(list(traffic), list(traffic.values()))[0]
        running = self._running.get(f"{endpoint}/deployments/{name}")
        if running is None:
            return web.Response(status=404, text="DeploymentNotFound")
        running.under_way += 1
        try:
            return await self._handed(request, running, route)
        finally:
            running.under_way -= 1
            if running.is_ending:
                running.end()

    async def _handed(self, request: web.Request, running: Running, route: str) -> web.StreamResponse:
        if running.state == "ended":  # a container that crashed is started again
            running.ready.unlink(missing_ok=True)
            running.process = _started(running.command, running.log, running.variables)
        for _ in range(_TRIES):
            if running.state != "starting":
                break
            await asyncio.sleep(_LOOK_S)
        content = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() in ("content-type", "accept")}
        headers["Host"] = "shop.example"  # the name by which people call it
        self._session = self._session or aiohttp.ClientSession()
        try:
            async with self._session.request(
                request.method, f"{running.address}/{route}", data=content or None, headers=headers
            ) as answer:
                return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)
        except (aiohttp.ClientError, OSError):
            return web.Response(status=502, text="the container does not answer")

    async def close(self) -> None:
        for place in list(self._running):
            self.stop(place)
        for running in self._ended:
            running.process.terminate()
            await asyncio.to_thread(running.process.wait)
        if self._session is not None:
            await self._session.close()


def _started(command: list[str], log: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWYARD_", "AZURE_"))}
    home = {"FLOWYARD_HOME": str(log.parent / "home")}
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env={**kept, **variables, **home}, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def as_container(fields: dict[str, Any]) -> dict[str, str]:
    """The variables of a deployment's body."""
    return {str(name): str(value) for name, value in (fields.get("environmentVariables") or {}).items()}
