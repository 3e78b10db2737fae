"""What has been served so far, in the text form that Prometheus reads."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from flowyard.serving.exchange import Exchange
from flowyard.serving.process_metrics import process_lines

__all__ = ["CONTENT_TYPE", "Metrics", "Now"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


_OVER_A_LIMIT = (408, 413, 429, 503)


@dataclass(frozen=True, slots=True)
class Now:
    """What other parts of the server count."""

    under_way: int = 0
    at_once: int = 0
    waiting: int = 0
    connections: int = 0
    records_dropped: int = 0
    spans_sent: int = 0
    spans_dropped: int = 0


class Metrics:
    """Counts for one server, all from its event loop."""

    def __init__(self, flow: str, version: str) -> None:
        self._flow, self._version = _escaped(flow), _escaped(version)
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0
        self._first_pieces = 0
        self._first_piece_s = 0.0
        self._prompt_tokens = self._completion_tokens = self._calls = self._unpriced = 0
        self._cost_usd = 0.0

    def refused(self, route: str, status: int) -> None:
        """A request that never became a line."""
        self._requests[route, status] += 1

    def ended(self, exchange: Exchange) -> None:
        """A line and its answer have ended."""
        self._requests[exchange.route, exchange.status] += 1
        latency_s = exchange.latency_s
        self._buckets[bisect_left(_BOUNDS, latency_s)] += 1
        self._seconds += latency_s
        if exchange.first_piece_s is not None:
            self._first_pieces += 1
            self._first_piece_s += exchange.first_piece_s
        usage = exchange.usage
        if usage.calls:
            self._calls += usage.calls
            self._unpriced += usage.unpriced_calls
            self._prompt_tokens += usage.prompt_tokens
            self._completion_tokens += usage.completion_tokens
            self._cost_usd += usage.cost_usd

    def text(self, now: Now) -> str:
        """All of it, with what others keep."""
        lines = itertools.chain(self._requests_lines(), self._model_lines(), _now_lines(now), process_lines())
        return "".join(f"{line}\n" for line in lines)

    def _requests_lines(self) -> Iterator[str]:
        yield from _head("info", "gauge", "What is served.")
        yield f'flowyard_serve_info{{flow="{self._flow}",version="{self._version}"}} 1'
        yield from _head("requests_total", "counter", "Requests by route and status; 499 is a caller who left.")
        for (route, status), count in sorted(self._requests.items()):
            yield f'flowyard_serve_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _head("rejected_total", "counter", "Requests over a limit: of time, size, lines under way, the end.")
        for status in _OVER_A_LIMIT:
            count = sum(number for (_, each), number in self._requests.items() if each == status)
            yield f'flowyard_serve_rejected_total{{status="{status}"}} {count}'
        yield from _head("latency_seconds", "histogram", "Time from a whole request to the end of its answer.")
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._buckets, strict=True):
            total += count
            yield f'flowyard_serve_latency_seconds_bucket{{le="{bound}"}} {total}'
        yield f"flowyard_serve_latency_seconds_sum {self._seconds:.6f}"
        yield f"flowyard_serve_latency_seconds_count {total}"
        yield from _head("first_piece_seconds", "summary", "Time to the first piece of streamed answers.")
        yield f"flowyard_serve_first_piece_seconds_sum {self._first_piece_s:.6f}"
        yield f"flowyard_serve_first_piece_seconds_count {self._first_pieces}"

    def _model_lines(self) -> Iterator[str]:
        yield from _head("tokens_total", "counter", "Tokens of model calls.")
        yield f'flowyard_serve_tokens_total{{type="prompt"}} {self._prompt_tokens}'
        yield f'flowyard_serve_tokens_total{{type="completion"}} {self._completion_tokens}'
        yield from _single("model_calls_total", "counter", "Model calls.", self._calls)
        text = "Model calls without a known price."
        yield from _single("unpriced_model_calls_total", "counter", text, self._unpriced)
        yield from _single("cost_usd_total", "counter", "Cost of model calls.", round(self._cost_usd, 9))


def _now_lines(now: Now) -> Iterator[str]:
    yield from _single("in_flight", "gauge", "Lines under way.", now.under_way)
    yield from _single("in_flight_limit", "gauge", "Lines that may be under way.", now.at_once)
    yield from _single("waiting", "gauge", "Calls of plain Python that wait for a thread.", now.waiting)
    yield from _single("connections", "gauge", "Open connections.", now.connections)
    yield from _single("records_dropped_total", "counter", "Production records that were lost.", now.records_dropped)
    yield from _single("spans_sent_total", "counter", "Spans of traces that an endpoint took.", now.spans_sent)
    yield from _single("spans_dropped_total", "counter", "Spans of traces that were lost.", now.spans_dropped)


def _single(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, text)
    yield f"flowyard_serve_{name} {value}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP flowyard_serve_{name} {text}"
    yield f"# TYPE flowyard_serve_{name} {kind}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
