"""One served flow: what every request goes through, and what the routes share."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flowyard.engine.runner import LineRunner
from flowyard.flows import DagFlow, Flow
from flowyard.flows.chat import chat_shape
from flowyard.llm.call_log import CallLog, call_log
from flowyard.media import as_base64
from flowyard.production import open_record_sink
from flowyard.records import LineResult
from flowyard.serving.access import require_access
from flowyard.serving.admission import Admission
from flowyard.serving.answer import refused, stopped
from flowyard.serving.exchange import Exchange
from flowyard.serving.lines import ServedLines
from flowyard.serving.metrics import Metrics, Now
from flowyard.serving.production import Production
from flowyard.serving.schema import shown_outputs
from flowyard.serving.settings import ServingSettings
from flowyard.serving.trace_context import TraceContext
from flowyard.serving.traces import Traces
from flowyard.serving.worker_metrics import WorkerMetrics
from flowyard.wire import Refusal, Request, Response, Route, Routes

__all__ = ["Service", "exchange_of"]

_REQUEST_ID = ("x-request-id", "x-ms-client-request-id")
_GONE = 499
_LINES = frozenset({"/score", "/v1/chat/completions"})
"""The routes that run lines, of which there may be too many."""


class Service:
    """The parts of one server. Close it after the server."""

    def __init__(self, runner: LineRunner, settings: ServingSettings) -> None:
        self.runner = runner
        self.settings = settings
        self.outputs = shown_outputs(runner.flow, settings.included_fields)
        self.chat = chat_shape(runner.flow)
        self.admission = Admission(settings.at_once)
        self.lines = ServedLines(runner, self.admission, settings.line_s)
        self.metrics = Metrics(runner.flow.name, settings.version)
        self.production = Production(
            open_record_sink(settings.records, settings.record_sink, settings.environ),
            flow=settings.served_flow or runner.flow.name,
            version=settings.served_version or settings.version,
            share=settings.share,
            hidden=settings.hidden,
            secrets=runner.secrets,
        )
        self.traces = Traces(
            settings.spans,
            flow=runner.flow.name,
            version=settings.version,
            tools=_tools(runner.flow),
            hidden=settings.hidden,
            secrets=runner.secrets,
        )
        self._notes_calls = self.traces.is_on or self.production.is_on
        self.workers: WorkerMetrics | None = None
        self.routes = Routes([])
        self.count_connections: Callable[[], int] = int

    def refused(self, refusal: Refusal) -> Response:
        """What is answered to what never became a request."""
        self.metrics.refused("other", refusal.status)
        return refused(refusal)

    async def handle(self, request: Request) -> Response:
        """Let in who may, find the route, and answer every failure in prompt flow's shape."""
        path = request.path
        try:
            route = self._route(request)
            response = await route.handler(request)
        except Refusal as refusal:
            response = self._refused_request(path, refusal)
        except asyncio.CancelledError:
            if request.is_gone or not request.is_stopping:
                raise
            response = refused(stopped())
        except Exception as error:  # a bug of ours costs its request only
            response = refused(Refusal(500, f"The server failed: {type(error).__name__}."))
            self.metrics.refused("other", 500)
        return self._named(request, response)

    def _named(self, request: Request, response: Response) -> Response:
        """The answer with the id that people find the request by, and whether a model was simulated."""
        headers = response.headers
        if _REQUEST_ID[0] not in headers:
            headers[_REQUEST_ID[0]] = _request_id(request)
        if self.runner.is_simulated:
            headers["x-flowyard-simulated"] = "true"
        return response

    def before_body(self, request: Request) -> Response | None:
        """The answer to a request whose body is still to come, if that is no already: its body need not be read."""
        try:
            self._route(request)
            if request.path in _LINES:
                self.admission.require_room()
        except Refusal as refusal:
            return self._named(request, self._refused_request(request.path, refusal))
        return None

    def _refused_request(self, path: str, refusal: Refusal) -> Response:
        response = refused(refusal)
        if refusal.status == 401:  # a browser then asks the person, whose name does not matter
            response.headers["www-authenticate"] = 'Basic realm="flowyard: the key is the password", charset="UTF-8"'
        self.metrics.refused(path if refusal.status not in (401, 403, 404) else "other", refusal.status)
        return response

    def _route(self, request: Request) -> Route:
        """The route, for whoever may use it: who may not learns nothing about which there are."""
        key = self.settings.key
        try:
            route = self.routes.find(request)
        except Refusal:
            require_access(request, key, behind_gateway=self.settings.behind_gateway)
            raise
        if not route.is_open:
            require_access(request, key, behind_gateway=self.settings.behind_gateway)
        return route

    def shown(self, line: LineResult) -> dict[str, Any]:
        """The outputs that answers show, pictures in base64."""
        outputs = line.outputs
        included = self.settings.included_fields
        if self.runner.flow.outputs and not line.is_bare:
            names = self.outputs
        else:
            names = [name for name in outputs if included is None or line.is_bare or name in included]
        form = self.runner.flow.message_format
        return {name: as_base64(outputs[name], form) for name in names if name in outputs}

    async def run(self, exchange: Exchange, inputs: Mapping[str, Any], *, stream: bool) -> LineResult:
        """Run one line for an exchange. Raises Refusal, after which the exchange has ended."""
        exchange.inputs, exchange.is_stream = inputs, stream
        if self._notes_calls:
            exchange.calls = CallLog()
            call_log.set(exchange.calls)  # never taken back: each request has a task of its own
        self.admission.enter()
        try:
            line = await self.lines.run(inputs, stream=stream)
        except Refusal as refusal:
            self.ended(exchange, refusal.status, refusal.message, count=False)
            raise
        except BaseException as error:
            self.ended(exchange, _GONE if isinstance(error, asyncio.CancelledError) else 500, type(error).__name__)
            raise
        exchange.usage, exchange.nodes, exchange.failure = line.usage, line.nodes, line.error
        return line

    def ended(self, exchange: Exchange, status: int, error: str | None = None, *, count: bool = True) -> None:
        """The answer is complete, or never will be; ``count`` is off where the refusal is counted by others."""
        exchange.status, exchange.error = status, error
        if count:
            self.metrics.ended(exchange)
        self.production.ended(exchange)
        self.traces.ended(exchange)

    def own_metrics(self) -> str:
        """What this process counts, for Prometheus."""
        return self.metrics.text(self.now())

    def now(self) -> Now:
        """What the parts of the server count at this moment."""
        return Now(
            under_way=self.admission.under_way,
            at_once=self.admission.at_once,
            waiting=self.runner.line_threads.waiting,
            connections=self.count_connections(),
            records_dropped=self.production.dropped,
            spans_sent=self.traces.sent,
            spans_dropped=self.traces.dropped,
        )

    def close(self) -> None:
        """Write what is left of the records, and send what is left of the traces."""
        self.production.close()
        self.traces.close()


def exchange_of(request: Request) -> Exchange:
    """A new exchange for a request."""
    return Exchange(_request_id(request), TraceContext.read(request.headers.get("traceparent", "")), request.path)


def _tools(flow: Flow) -> frozenset[str]:
    """The nodes that call a function; the others ask a model or make a text."""
    nodes = flow.nodes if isinstance(flow, DagFlow) else ()
    return frozenset(node.name for node in nodes if node.type not in ("llm", "prompt"))


def _request_id(request: Request) -> str:
    headers = request.headers
    given = headers.get(_REQUEST_ID[0]) or headers.get(_REQUEST_ID[1])
    if given:
        return given[:200]
    return str(
        uuid.UUID(int=random.getrandbits(128), version=4)
    )  # uuid4 asks the system, which gives up the thread's turn
