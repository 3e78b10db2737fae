"""A simulated model for flow folders that ask one, which writes down what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from flowyard.simulation.rules import load_rules
from flowyard.simulation.server import make_app
from flowyard.simulation.simulator import Simulator

__all__ = ["ModelServer", "model_server", "requests_alike"]

RULES = Path(__file__).with_name("model_rules.yaml")


class ModelServer:
    """Answers each folder below its own path, by the folder's ``rules.yaml`` or else by ``model_rules.yaml``.

    ``asked`` has, for each folder, every request body in the order of arrival, with the path as ``@path`` and the key
    as ``@key``.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: dict[str, list[dict[str, Any]]] = {}

    def environment(self, folder: str) -> dict[str, str]:
        """The variables by which a flow in this folder finds the model."""
        url = f"{self.url}/{folder}"
        return {
            "MODEL_URL": url,
            "MODEL_KEY": "key-of-the-model",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "key-from-environment",
            "OPENAI_API_VERSION": "2024-06-01",
            "AZURE_OPENAI_ENDPOINT": url,
            "AZURE_OPENAI_API_KEY": "azure-key-from-environment",
        }

    def app(self, folders: Iterable[Path]) -> web.Application:
        app = web.Application(middlewares=[self._record])
        for folder in folders:
            own = folder / "rules.yaml"
            rules = load_rules(own if own.is_file() else RULES)
            app.add_subapp(f"/{folder.name}/", make_app(Simulator(rules)))
        return app

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        _, folder, path = request.raw_path.split("/", 2)
        key = request.headers.get("api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.setdefault(folder, []).append({"@path": path, "@key": key, **await request.json()})
        response: web.StreamResponse = await handler(request)
        return response


@contextmanager
def model_server(folders: Iterable[Path]) -> Iterator[ModelServer]:
    """A running server on this machine, with an event loop in a thread of its own."""
    server = ModelServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(server.app(folders), access_log=None)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    server.url = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


def requests_alike(requests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The requests in a fixed order, since lines run at once, and without what clients may say or leave unsaid.

    That is: that they do not stream, and that they want the usage of a stream.
    """
    kept = []
    for request in requests:
        own = {key: value for key, value in request.items() if key != "stream_options"}
        kept.append({key: value for key, value in own.items() if (key, value) != ("stream", False)})
    return sorted(kept, key=lambda request: json.dumps(request, sort_keys=True))
