"""Gateways as processes, and backends whose behaviour a test decides."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functional_helper import PATIENCE_S, ending, start_flowyard, wait_for_text, wait_until

from flowyard.wire import Request, Response, WireServer

__all__ = ["KEY", "Answered", "Behind", "Gate", "ask", "behind", "exposures", "gateway"]

KEY = "control-key-of-the-tests"


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def arm(self) -> str:
        return self.headers["x-flowyard-arm"]

    def json(self) -> Any:
        return json.loads(self.body)


class Behind:
    """A server in a thread that answers with its name, and with the headers that came.

    ``/stream`` sends a piece for each ``allow()``, ``/never`` does not answer, ``/status/N`` answers N; while
    ``status`` is set, everything does, and every ``fail_every``th answer to ``/score`` is 500. ``/health`` answers 200
    while it ``is_well``. ``asked`` has the requests that came, but for those of health checks.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.is_well = True
        self.fail_every = 0
        self._scored = 0
        self.asked: list[Request] = []
        self.changed = threading.Condition()
        self.left = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._pieces = asyncio.Semaphore(0)
        self._server: WireServer | None = None
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = WireServer(self._handle, lambda refusal: Response(refusal.status))
        listening = self._server.listen("127.0.0.1", self.port)
        self.port = asyncio.run_coroutine_threadsafe(listening, self._loop).result(PATIENCE_S)[1]

    def stop(self) -> None:
        """Nobody listens there any more; what is under way is cut."""
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._server.drain(0), self._loop).result(PATIENCE_S)
            self._server = None

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def allow(self) -> None:
        """Send one more piece."""
        self._loop.call_soon_threadsafe(self._pieces.release)

    def wait(self, is_so: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE_S)

    async def _handle(self, request: Request) -> Response:
        if request.path == "/health":
            return Response(200 if self.is_well else 503, b"{}")
        with self.changed:
            self.asked.append(request)
            self.changed.notify_all()
        if self.status != 200:
            return Response(self.status, b"{}")
        if request.path == "/score" and self.fail_every:
            self._scored += 1
            if not self._scored % self.fail_every:
                return Response(500, b"{}")
        if request.path == "/never":
            await self._never()
        if request.path == "/stream":
            return Response(200, self._stream(), "text/event-stream")
        if request.path.startswith("/status/"):
            return Response(
                int(request.path.rpartition("/")[2]), b"{}", headers={"x-own": "1", "x-flowyard-arm": "lie"}
            )
        body = {"name": self.name, "headers": dict(request.headers), "size": len(request.body), "path": request.path}
        return Response(200, json.dumps(body).encode(), cookies=("one=1", "two=2"))

    async def _never(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self._note_left()

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            for number in range(3):
                await self._pieces.acquire()
                yield f"data: {number}\n\n".encode()
        except (asyncio.CancelledError, GeneratorExit):
            self._note_left()
            raise

    def _note_left(self) -> None:
        with self.changed:
            self.left += 1
            self.changed.notify_all()


@contextmanager
def behind(*names: str) -> Iterator[list[Behind]]:
    """Backends, while the block runs."""
    with ExitStack() as stack:
        made = []
        for name in names:
            made.append(Behind(name))
            stack.callback(made[-1].close)
        yield made


@dataclass
class Gate:
    url: str
    process: subprocess.Popen[str]
    config: Path
    folder: Path
    env: Mapping[str, str]
    control_url: str = ""
    made: list[http.client.HTTPConnection] = field(default_factory=list)

    def ask(self, path: str = "/score", body: bytes | None = b"{}", **headers: str) -> Answered:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.url, "POST" if body is not None else "GET", path, body, names)

    def arms(self, users: Iterator[int] | range) -> dict[int, str]:
        return {user: self.ask(x_user_id=f"user-{user}").arm for user in users}

    def control(self, method: str, path: str, body: Any = None, key: str = KEY) -> Answered:
        data = None if body is None else json.dumps(body).encode()
        return ask(self.control_url, method, path, data, {"authorization": f"Bearer {key}"})

    def weigh(self, **weights: float) -> int:
        """Change the weights; gives the epoch."""
        answer = self.control("PUT", "/v1/gateway/weights", {"weights": weights, "reason": "a test"})
        assert answer.status == 200, answer.body
        return int(answer.json()["epoch"])

    def state(self) -> Any:
        return self.control("GET", "/v1/gateway").json()

    def begin(self, path: str, **headers: str) -> http.client.HTTPConnection:
        """Send a request, and let the answer come; close it in the end."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_S)
        connection.request("POST", path, b"{}", {name.replace("_", "-"): value for name, value in headers.items()})
        return connection

    def until(self, is_so: Callable[[Any], bool]) -> Any:
        """Look at the state until it is so."""
        return wait_until(lambda: found if is_so(found := self.state()) else None, "another state of the gateway")

    def metric(self, name: str) -> float:
        lines = self.control("GET", "/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"flowyard_gateway_{name}"))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0


def ask(url: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answered(answer.status, found, answer.read())
    finally:
        connection.close()


@contextmanager
def gateway(
    folder: Path, backends: Mapping[str, Behind], env: Mapping[str, str] | None = None, /, **more: Any
) -> Iterator[Gate]:
    """A running gateway; weights are 90 and 10, or what ``weights`` says. Killed in the end, if it is still there.

    Its salt is always the same one, so that each user gets the same arm in each run of a test.
    """
    weights = more.pop("weights", None) or dict(zip(backends, (90, 10, 0), strict=False))
    config = folder / "gateway.yaml"
    settings = {
        "name": "shop",
        "listen": "127.0.0.1:0",
        "backends": {
            name: {"url": each.url, "weight": weights[name], "version": f"{name}:1"} for name, each in backends.items()
        },
        "sticky": {"header": "x-user-id"},
        "salt": "salt of the tests",
        "exposures": "exposures",
        "state": "state",
        "control": {"listen": "127.0.0.1:0", "key": "${GATEWAY_KEY}"},
        **more,
    }
    config.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}, indent=1))
    ready, environment = folder / "gateway.ready", {"GATEWAY_KEY": KEY, "FLOWYARD_HOME": str(folder / "home")}
    environment.update(env or {})
    ready.unlink(missing_ok=True)
    words = ("gateway", "serve", "--config", config, "--ready-file", ready)
    with ending(start_flowyard(*words, cwd=folder, env=environment)) as process:
        gate = Gate(wait_for_text(ready, PATIENCE_S), process, config, folder, environment)
        with suppress(FileNotFoundError):
            gate.control_url = (folder / "state" / "control.address").read_text("utf-8")
        yield gate


def exposures(folder: Path) -> list[dict[str, Any]]:
    """What the log has, in no order."""
    lines = [line for file in (folder / "exposures").glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines]
