"""What is answered to a request that is not carried out."""

from __future__ import annotations

import json

from flowyard.wire.message import Response
from flowyard.wire.refusal import Refusal

__all__ = ["refused"]


def refused(refusal: Refusal) -> Response:
    """The answer to what is not carried out."""
    code = "Unavailable" if refusal.status >= 500 else "UserError"
    body = {"error": {"code": code, "message": refusal.message}}
    response = Response(refusal.status, json.dumps(body).encode())
    if refusal.retry_after_s is not None:
        response.headers["retry-after"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response
