"""A finished line as a trace: a span for the line, one for each node, and one for each prompt that is kept.

The form is OpenTelemetry's JSON. Identifiers come from the run and the line: what is sent twice is stored once. Lines
keep how long each node took and not when it began, so nodes are laid one after another, or all at the line's beginning
when they ran beside each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from flowyard.records import ErrorRecord, LineResult, NodeResult, RunRecord, Usage
from flowyard.spans.otlp_json import MOST_TEXT, attributes, export_request
from flowyard.tracking.form import RUN

__all__ = ["spans_of", "spans_request"]

_OK, _ERROR = 1, 2


def spans_request(spans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of an export of spans."""
    return export_request(spans, {"service.name": "flowyard"})


def spans_of(run: RunRecord, line: LineResult, name: str) -> list[dict[str, Any]]:
    """The trace of a line; ``name`` is what its first span is called."""
    trace = _digest(run.name, run.created_at, line.line_number)[:32]
    start = _nanoseconds(line.started_at or run.created_at)
    end = start + _length(line.duration_s)
    tags = {RUN: run.name, "flowyard.line": str(line.line_number), "flowyard.variant": run.variant or ""}
    facts: dict[str, Any] = {
        "mlflow.spanType": "CHAIN",
        "mlflow.spanInputs": line.inputs,
        "mlflow.spanOutputs": line.returned if line.status == "completed" else None,
        **{f"mlflow.traceTag.{tag}": value for tag, value in tags.items() if value},
    }
    root = _span(trace, "line", None, name, (start, end), facts, line.error)
    return [root, *_nodes(trace, root["spanId"], line, start, end)]


def _nodes(trace: str, root: str, line: LineResult, start: int, end: int) -> Iterator[dict[str, Any]]:
    in_turn = sum(_length(node.duration_s) for node in line.nodes) <= end - start
    begin = start
    for node in line.nodes:
        if node.status == "bypassed":
            continue
        finish = begin + _length(node.duration_s)
        span = _span(trace, f"node {node.node}", root, node.node, (begin, finish), _node_facts(node), node.error)
        yield span
        yield from _calls(trace, span["spanId"], node, begin, finish)
        begin = finish if in_turn else start


def _node_facts(node: NodeResult) -> dict[str, Any]:
    facts: dict[str, Any] = {"mlflow.spanType": "TOOL", "flowyard.node": node.node, "flowyard.times": "laid out"}
    if node.status == "completed":
        facts["mlflow.spanOutputs"] = node.output
    if node.usage.calls or node.usage.cached_calls:
        facts |= _usage_facts(node.usage)
    return facts


def _usage_facts(usage: Usage) -> dict[str, Any]:
    tokens = {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {
        "mlflow.chat.tokenUsage": tokens,
        "flowyard.calls": usage.calls,
        "flowyard.cached_calls": usage.cached_calls,
        "flowyard.cost_usd": usage.cost_usd,
        "flowyard.simulated": usage.simulated_calls > 0,
    }


def _calls(trace: str, parent: str, node: NodeResult, begin: int, finish: int) -> Iterator[dict[str, Any]]:
    """A span for each prompt that is kept; the answer of the only one is what the node gave."""
    for number, prompt in enumerate(node.prompts, 1):
        facts: dict[str, Any] = {"mlflow.spanType": "CHAT_MODEL", "mlflow.spanInputs": prompt}
        if len(node.prompts) == 1 and node.usage.calls + node.usage.cached_calls == 1 and node.status == "completed":
            facts["mlflow.spanOutputs"] = node.output
        yield _span(trace, f"node {node.node} {number}", parent, f"model call {number}", (begin, finish), facts, None)


def _span(
    trace: str,
    key: str,
    parent: str | None,
    name: str,
    times: tuple[int, int],
    facts: Mapping[str, Any],
    error: ErrorRecord | None,
) -> dict[str, Any]:
    span: dict[str, Any] = {
        "traceId": trace,
        "spanId": _digest(trace, key)[:16],
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(times[0]),
        "endTimeUnixNano": str(times[1]),
        "attributes": attributes({name: value for name, value in facts.items() if value is not None}),
        "status": {"code": _OK},
    }
    if parent is not None:
        span["parentSpanId"] = parent
    if error is not None:
        span["status"] = {"code": _ERROR, "message": f"{error.type}: {error.message}"[:MOST_TEXT]}
        shown = {"exception.type": error.type, "exception.message": error.message}
        if error.traceback:
            shown["exception.stacktrace"] = error.traceback
        span["events"] = [{"name": "exception", "timeUnixNano": str(times[1]), "attributes": attributes(shown)}]
    return span


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _nanoseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 1
    return max(1, int(moment.timestamp() * 1_000_000) * 1000)


def _length(duration_s: float) -> int:
    return max(0, int(duration_s * 1_000_000_000))
