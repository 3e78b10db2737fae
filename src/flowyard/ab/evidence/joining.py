"""Which records belong to one request of one unit: exposures, and what else is known of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowyard.ab.evidence.record_values import Joined

__all__ = ["joined_records"]

Record = Mapping[str, Any]


def joined_records(records: Sequence[Record]) -> Mapping[str, Joined]:
    """Records by the request that they belong to; each has a ``kind``. What belongs to no exposure is left out.

    A record belongs to the request with its id. Feedback that came in a request of its own belongs to the one whose
    trace and span it names, else to another one of the trace; its own request is none that is measured.
    """
    by_request: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in _of_requests(records, "exposure"):
        by_request[record["request_id"]].setdefault("exposure", record)
    others = [each for each in _of_requests(records, None) if each["kind"] not in ("exposure", "feedback")]
    for record in others:
        if record["request_id"] in by_request:
            by_request[record["request_id"]].setdefault(record["kind"], record)
    _add_feedback(by_request, _of_requests(records, "feedback"))
    return by_request


def _of_requests(records: Sequence[Record], kind: str | None) -> Iterator[Record]:
    return (each for each in records if kind in (None, each["kind"]) and isinstance(each.get("request_id"), str))


def _add_feedback(by_request: dict[str, dict[str, Record]], feedback: Iterator[Record]) -> None:
    by_trace: dict[str, list[str]] = defaultdict(list)
    by_span: dict[tuple[str, str], str] = {}
    for request, joined in by_request.items():
        trace, span = joined["exposure"].get("trace_id"), joined.get("exchange", {}).get("span_id")
        if isinstance(trace, str):
            by_trace[trace].append(request)
            if isinstance(span, str):
                by_span[trace, span] = request
    for record in feedback:
        own = record["request_id"]
        found = _request_of(record, own, by_request, by_trace, by_span)
        if found is None:
            continue
        by_request[found].setdefault("feedback", record)
        if found != own and "exchange" not in by_request.get(own, {}):
            by_request.pop(own, None)


def _request_of(
    record: Record,
    own: str,
    by_request: Mapping[str, Joined],
    by_trace: Mapping[str, Sequence[str]],
    by_span: Mapping[tuple[str, str], str],
) -> str | None:
    trace, span = record.get("trace_id"), record.get("span_id")
    if isinstance(trace, str) and isinstance(span, str) and by_span.get((trace, span)) in by_request:
        return by_span[trace, span]
    if "exchange" in by_request.get(own, {}):
        return own
    same = by_trace.get(trace, ()) if isinstance(trace, str) else ()
    others = [request for request in same if request != own and request in by_request]
    if others:
        return others[0]
    return own if own in by_request else None
