"""``POST /feedback``: what a person thinks of an answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from flowyard.serving.answer import json_answer
from flowyard.serving.service import Service, exchange_of
from flowyard.wire import Request, Response

__all__ = ["feedback"]


async def feedback(service: Service, request: Request) -> Response:
    """Keep the body among the production records, joined to an answer by ``traceparent``.

    With ``?flatten=true`` each name of the body is one field of its own; a body that has no names is kept whole, as
    prompt flow's server does.
    """
    flatten = request.query.get("flatten", "false").lower() == "true"
    exchange, baggage = exchange_of(request), _baggage(request.headers.get("baggage", ""))
    said = _said(request.body, flatten=flatten)
    service.production.feedback(exchange, said, baggage)
    service.traces.feedback(exchange, said, baggage)
    service.metrics.refused(request.path, 200)
    return json_answer({"status": "Feedback received."})


def _said(body: bytes, *, flatten: bool) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {"feedback": text}
    return said if flatten and isinstance(said, dict) else {"feedback": said}


def _baggage(header: str) -> dict[str, str]:
    """What W3C's ``baggage`` carries: ``name=value;properties,…``, as URLs have it."""
    found: dict[str, str] = {}
    for member in header.split(",")[:_MOST_BAGGAGE]:
        name, sign, value = member.partition(";")[0].partition("=")
        if sign and name.strip():
            found[unquote(name.strip())] = unquote(value.strip())
    return found


_MOST_BAGGAGE = 180
