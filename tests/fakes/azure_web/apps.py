"""What runs in a slot: a real flowyard server over a folder, or a small thing that answers with a word."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, web

_REFERENCE = re.compile(r"@Microsoft\.KeyVault\(SecretUri=(?P<uri>[^)]+)\)")
_PASSED_ON = ("accept", "authorization", "content-type")
_HELD = 100
Source = Path | str
"""A flow's folder, or the word that answers begin with."""


class App:
    """One container: made with its image and its environment, started when it is looked at."""

    def __init__(self, source: Source | None, image: str, environment: Mapping[str, str], folder: Path) -> None:
        self.source, self.image, self.environment = source, image, dict(environment)
        self._log = folder / f"app-{time.monotonic_ns()}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.was_ready = self.gave_up = False
        self._said: list[str] = []

    def start(self) -> None:
        """Begin, unless it runs or was given up."""
        if self.gave_up or isinstance(self.source, str):
            return
        if self.source is None:
            self._give_up("Image pull failed: Verify docker image configuration and credentials")
        elif self._process is None or self._process.poll() is not None:
            if self._process is not None and not self.was_ready:
                self._give_up("Container shop_0 for site shop has exited, failing site start")
            else:
                self._launch(self.source)

    def stop(self) -> None:
        """End it, and forget what became of it."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._process, self.was_ready, self.gave_up = None, False, False

    def log(self) -> str:
        self.start()
        written = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        return "\n".join([*written.splitlines(), *self._said, ""])

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """What the container answers; 503 while nothing listens, as App Service says it."""
        self.start()
        if isinstance(self.source, str):
            return _word(self.source, self.environment, request, body)
        url = f"http://127.0.0.1:{self._port}{request.path_qs}"
        kept = {name: value for name, value in request.headers.items() if name.lower() in _PASSED_ON}
        for _ in range(_HELD):  # as App Service does, which holds requests while a container starts
            try:
                return await self._pass_on(request.method, url, kept, body)
            except ClientConnectorError:
                if self._process is None or self._process.poll() is not None:
                    break
                await asyncio.sleep(0.05)
            except (ClientError, TimeoutError):
                return web.Response(status=502, text="Bad Gateway")
        return web.Response(status=503, text="Application Error")

    async def _pass_on(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> web.Response:
        async with (
            ClientSession(timeout=ClientTimeout(total=60), auto_decompress=False) as session,
            session.request(method, url, data=body or None, headers=headers) as response,
        ):
            content = await response.read()
            self.was_ready = self.was_ready or response.status == 200
            shown = {"Content-Type": response.headers.get("Content-Type", "application/octet-stream")}
            return web.Response(status=response.status, body=content, headers=shown)

    def _give_up(self, why: str) -> None:
        self.gave_up = True
        self._said.append(f"2026-01-01T00:00:00.000Z ERROR - {why}")

    def _launch(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        home = {"FLOWYARD_HOME": str(self._log.with_suffix("")), "HOME": str(self._log.parent)}
        words = ["flow", "serve", "--source", str(folder), "--host", "127.0.0.1", "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flowyard", *words],
                env={**kept, **self.environment, **home},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def resolved(settings: Mapping[str, str], vault: Mapping[str, str]) -> dict[str, str]:
    """The environment of a container: references become their secrets; one that leads nowhere stays as it is."""
    found = {name: _REFERENCE.fullmatch(value) for name, value in settings.items()}
    return {name: vault.get(match["uri"], settings[name]) if match else settings[name] for name, match in found.items()}


def _word(word: str, environment: Mapping[str, str], request: web.Request, body: bytes) -> web.Response:
    """``POST /score`` with the key answers with the word; ``broken`` is never healthy."""
    if request.path == "/health":
        return web.json_response({"status": "ok"}, status=503 if word == "broken" else 200)
    key = environment.get("FLOWYARD_SERVE_KEY")
    if not key or request.headers.get("Authorization") != f"Bearer {key}":
        return web.json_response({"error": "no key"}, status=401)
    return web.json_response({"answer": f"{word} {environment.get('GREETING', '')} {len(body)}"})
