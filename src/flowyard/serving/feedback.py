"""``POST /feedback``: what a person thinks of an answer."""

from __future__ import annotations

import json
from typing import Any

from flowyard.serving.answer import json_answer
from flowyard.serving.service import Service, exchange_of
from flowyard.wire import Refusal, Request, Response

__all__ = ["feedback"]


async def feedback(service: Service, request: Request) -> Response:
    """Keep the body among the production records, joined to an answer by ``traceparent``.

    With ``?flatten=true`` each name of the body is one field of its own.
    """
    flatten = request.query.get("flatten", "false").lower()
    if flatten not in ("true", "false"):
        raise Refusal(400, "flatten is true or false.")
    service.production.feedback(
        exchange_of(request), _said(request.body, flatten=flatten == "true"), request.headers.get("baggage", "")
    )
    service.metrics.refused(request.path, 200)
    return json_answer({"status": "Feedback received."})


def _said(body: bytes, *, flatten: bool) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        if flatten:
            raise Refusal(400, "The body must be a JSON object.") from None
        said = body.decode("utf-8", "replace")
    if not flatten:
        return {"feedback": said}
    if not isinstance(said, dict):
        raise Refusal(400, f"The body must be a JSON object, not {type(said).__name__}.")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
