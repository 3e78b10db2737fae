"""The HTTP application of one flow: its table of routes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

from flowyard.engine.runner import LineRunner
from flowyard.serving.answer import json_answer
from flowyard.serving.chat_completions import chat_completions, models
from flowyard.serving.feedback import feedback
from flowyard.serving.metrics import CONTENT_TYPE
from flowyard.serving.page import facts, page_file
from flowyard.serving.schema import openapi
from flowyard.serving.score import score
from flowyard.serving.service import Service
from flowyard.serving.settings import ServingSettings
from flowyard.serving.worker_metrics import WorkerMetrics
from flowyard.serving.workers import Worker
from flowyard.wire import Refusal, Request, Response, Route, Routes, WireLimits, WireServer

__all__ = ["FlowServer", "make_service"]

_Handler = Callable[[Service, Request], Awaitable[Response]]


class FlowServer:
    """A prepared flow and the server in front of it."""

    def __init__(self, runner: LineRunner, settings: ServingSettings, worker: Worker | None = None) -> None:
        self._worker = worker
        self.service = service = make_service(runner, settings)
        limits = WireLimits(body_bytes=settings.body_bytes)
        self.wire = WireServer(service.handle, service.refused, limits, before_body=service.before_body)
        self._grace_s = settings.grace_s
        service.count_connections = lambda: self.wire.open_connections

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""
        worker = self._worker
        if worker is None:
            return await self.wire.listen(host, port)
        worker.end_with_parent()
        service = self.service
        service.workers = WorkerMetrics(worker.folder, worker.number, service.own_metrics)
        await service.workers.open()
        return await self.wire.listen(host, port, socket.socket(fileno=worker.socket))

    async def close(self) -> None:
        """Say no to what is new, let what is under way end within the grace time, write what is left.

        Cancelled while it waits, it cuts off what is under way.
        """
        self.service.admission.is_closing = True
        try:
            await self.wire.drain(self._grace_s)
        except asyncio.CancelledError:
            await self.wire.drain(0)
        if self.service.workers is not None:
            await self.service.workers.close()
        self.service.close()


def make_service(runner: LineRunner, settings: ServingSettings) -> Service:
    """A prepared flow with its routes."""
    service = Service(runner, settings)

    def route(method: str, path: str, handler: _Handler, *, is_open: bool = False) -> Route:
        return Route(method, path, partial(handler, service), is_open)

    service.routes = Routes(
        [
            route("POST", "/score", score),
            route("GET", "/health", _health, is_open=True),
            route("GET", "/health/ready", _ready, is_open=True),
            route("GET", "/version", _version),
            route("GET", "/swagger.json", _schema),
            route("GET", "/metrics", _metrics),
            route("POST", "/feedback", feedback),
            route("GET", "/", partial(page_file, name="page.html")),
            route("GET", "/page.js", partial(page_file, name="page.js")),
            route("GET", "/page.css", partial(page_file, name="page.css")),
            route("GET", "/page.json", facts),
            *(
                [route("POST", "/v1/chat/completions", chat_completions), route("GET", "/v1/models", models)]
                if service.chat
                else []
            ),
        ]
    )
    return service


async def _health(service: Service, _request: Request) -> Response:
    """Alive: it answers without looking at the flow."""
    return json_answer({"status": "Healthy", "version": service.settings.version})


async def _ready(service: Service, _request: Request) -> Response:
    """Whether new requests should be sent here: not once the server is about to stop, nor while it is full."""
    admission = service.admission
    if admission.is_closing or admission.under_way >= admission.at_once:
        raise Refusal(
            503, "The server is stopping." if admission.is_closing else "The server is full.", retry_after_s=1
        )
    return json_answer({"status": "Ready", "version": service.settings.version})


async def _version(service: Service, _request: Request) -> Response:
    """What is served."""
    settings = service.settings
    return json_answer({"status": "Healthy", "build_info": settings.build, "version": settings.version})


async def _schema(service: Service, _request: Request) -> Response:
    """The OpenAPI description."""
    return json_answer(openapi(service.runner.flow, service.outputs))


async def _metrics(service: Service, _request: Request) -> Response:
    """The counts, for Prometheus."""
    text = service.own_metrics() if service.workers is None else await service.workers.text()
    return Response(200, text.encode(), CONTENT_TYPE)
