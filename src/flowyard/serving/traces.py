"""The trace of a request: its own span, one for each node and one for each model call, in OpenTelemetry's names."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.redact import redact
from flowyard.records import ErrorRecord, NodeResult
from flowyard.serving.exchange import Exchange
from flowyard.serving.hiding import hidden_values, without
from flowyard.serving.model_spans import call_span
from flowyard.spans import Exporter, Failure, Span, SpanSettings

__all__ = ["Traces"]

_FEEDBACK = "promptflow-feedback"
"""What prompt flow's server calls the span, so that queries go on to find it."""
_CALLERS_FAULT = frozenset({"InputMissing", "InputInvalid"})


class Traces:
    """Sends the spans of one server; does nothing when there is nowhere to send them.

    Secrets are taken out of all of it, and what goes by ``hidden`` names.
    """

    def __init__(
        self,
        settings: SpanSettings,
        *,
        flow: str,
        version: str,
        tools: frozenset[str],
        hidden: frozenset[str],
        secrets: Callable[[], list[str]],
    ) -> None:
        self._exporters = [Exporter(each) for each in settings.destinations]
        self._sampler = settings.sampler
        self._has_content = settings.has_content
        self._about = {"flowyard.flow": flow, "flowyard.version": version}
        self._tools = tools
        self._hidden = hidden
        self._secrets = secrets

    @property
    def is_on(self) -> bool:
        """Whether anybody is told of anything."""
        return bool(self._exporters)

    @property
    def dropped(self) -> int:
        """Spans that found no room, or that an endpoint did not take."""
        return sum(each.dropped for each in self._exporters)

    @property
    def sent(self) -> int:
        """Spans that endpoints took."""
        return sum(each.sent for each in self._exporters)

    def ended(self, exchange: Exchange) -> None:
        """Tell of an exchange, if its trace is among those that are kept."""
        if self._exporters and self._keeps(exchange):
            end_ns = exchange.started_ns + int(exchange.latency_s * 1e9)
            calls = exchange.calls.calls if exchange.calls is not None else []
            count = 1 + len(exchange.nodes) + len(calls)
            self._put(lambda: self._of_exchange(exchange, end_ns), count)

    def feedback(self, exchange: Exchange, said: Mapping[str, Any], baggage: Mapping[str, str]) -> None:
        """Add what a person says to the trace that the request names."""
        if self._exporters and self._keeps(exchange):
            end_ns = time.time_ns()
            self._put(lambda: [self._of_feedback(exchange, said, baggage, end_ns)], 1)

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        for each in self._exporters:
            each.close()

    def _keeps(self, exchange: Exchange) -> bool:
        trace = exchange.trace
        return self._sampler.keeps(trace.trace, trace.flags if trace.parent is not None else None)

    def _put(self, make: Callable[[], Sequence[Span]], count: int) -> None:
        for each in self._exporters:
            each.put(make, count)

    def _of_exchange(self, exchange: Exchange, end_ns: int) -> list[Span]:
        found = [self._root(exchange, end_ns)]
        ids: dict[str, str] = {}
        for span, name in self._nodes(exchange, end_ns):
            ids[name] = span.span
            found.append(span)
        for call in exchange.calls.calls if exchange.calls is not None else ():
            parent = ids.get((call.node or "").partition("/")[0], exchange.trace.span)
            found.append(call_span(call, exchange.trace.trace, _id(), parent, end_ns, has_content=self._has_content))
        return self._cleaned(found, exchange)

    def _root(self, exchange: Exchange, end_ns: int) -> Span:
        facts: dict[str, Any] = {
            "http.request.method": "POST",
            "http.route": exchange.route,
            "url.path": exchange.route,
            "url.scheme": "http",
            "http.response.status_code": exchange.status,
            **self._about,
            "flowyard.request_id": exchange.request_id,
            "flowyard.stream": exchange.is_stream,
            "flowyard.model_calls": exchange.usage.calls,
            "flowyard.prompt_tokens": exchange.usage.prompt_tokens,
            "flowyard.completion_tokens": exchange.usage.completion_tokens,
            "flowyard.cost_usd": exchange.usage.cost_usd,
        }
        if exchange.first_piece_s is not None:
            facts["flowyard.first_piece_s"] = exchange.first_piece_s
        if self._has_content:
            facts["flowyard.inputs"] = dump_json(without(exchange.inputs, self._hidden))
            facts["flowyard.outputs"] = dump_json(without(exchange.outputs, self._hidden))
        failure = _failure_of(exchange)
        if failure is not None:
            facts["error.type"] = failure.type
        trace = exchange.trace
        name = f"POST {exchange.route}"
        return Span(trace.trace, trace.span, trace.parent, name, "server", exchange.started_ns, end_ns, facts, failure)

    def _nodes(self, exchange: Exchange, end_ns: int) -> Iterator[tuple[Span, str]]:
        """The spans of nodes that ran, with their names; a node whose answer was kept took no time."""
        for node in exchange.nodes:
            if node.status in ("bypassed", "canceled"):
                continue
            start_ns = exchange.started_ns
            if node.clock_s:
                start_ns += max(0, int((node.clock_s - exchange.started) * 1e9))
            finish_ns = min(end_ns, start_ns + int(node.duration_s * 1e9))
            failure = _failure(node.error)
            facts = self._node_facts(node) | ({"error.type": failure.type} if failure else {})
            is_tool = node.node in self._tools
            name = f"execute_tool {node.node}" if is_tool else node.node
            trace = exchange.trace
            yield Span(trace.trace, _id(), trace.span, name, "internal", start_ns, finish_ns, facts, failure), node.node

    def _node_facts(self, node: NodeResult) -> dict[str, Any]:
        facts: dict[str, Any] = {"flowyard.node": node.node}
        if node.node in self._tools:
            facts |= {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": node.node,
                "gen_ai.tool.type": "function",
            }
            if self._has_content and node.status == "completed":
                facts["gen_ai.tool.call.result"] = dump_json(without(node.output, self._hidden))
        return facts

    def _of_feedback(
        self, exchange: Exchange, said: Mapping[str, Any], baggage: Mapping[str, str], end_ns: int
    ) -> Span:
        facts = {
            name: value if isinstance(value, str | int | float) else dump_json(value)
            for name, value in without(said, self._hidden).items()
        }
        trace = exchange.trace
        span = Span(
            trace.trace,
            trace.span,
            trace.parent,
            _FEEDBACK,
            "internal",
            exchange.started_ns,
            end_ns,
            {**facts, **without(baggage, self._hidden), **self._about},
        )
        return self._cleaned([span], exchange)[0]

    def _cleaned(self, spans: list[Span], exchange: Exchange) -> list[Span]:
        given = [exchange.inputs, exchange.outputs]
        secrets = [*self._secrets(), *hidden_values(given, self._hidden)]
        return [_cleaned(span, secrets) for span in spans] if secrets else spans


def _failure_of(exchange: Exchange) -> Failure | None:
    """What failed here; a request that cannot be carried out is no failure of the server."""
    if exchange.failure is not None:
        return None if exchange.failure.type in _CALLERS_FAULT else _failure(exchange.failure)
    return Failure(str(exchange.status), exchange.error or "") if exchange.status >= 500 else None


def _failure(error: ErrorRecord | None) -> Failure | None:
    return None if error is None else Failure(error.type, error.message, error.traceback or "")


def _cleaned(span: Span, secrets: list[str]) -> Span:
    facts = {name: _clean(value, secrets) for name, value in span.attributes.items()}
    failure = span.failure
    if failure is not None:
        failure = Failure(failure.type, redact(failure.message, secrets), redact(failure.stack, secrets))
    return Span(span.trace, span.span, span.parent, span.name, span.kind, span.start_ns, span.end_ns, facts, failure)


def _clean(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return redact(value, secrets)
    return [_clean(each, secrets) for each in value] if isinstance(value, list) else value


def _id() -> str:
    return f"{random.getrandbits(64) or 1:016x}"
