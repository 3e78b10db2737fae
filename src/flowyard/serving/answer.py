"""A line's result as an HTTP answer: JSON, a stream of events, or an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.redact import redact_json
from flowyard.engine.stream import TextStream
from flowyard.records import ErrorRecord
from flowyard.wire import Refusal, Request, Response

__all__ = [
    "EVENTS",
    "accepts_events",
    "accepts_json",
    "error_of_line",
    "event",
    "joined_streams",
    "json_answer",
    "pieces",
    "refused",
    "stopped",
]

EVENTS = "text/event-stream"


def accepts_events(accept: str) -> bool:
    """Whether the caller asks for server-sent events by name."""
    return EVENTS in accept.lower()


def accepts_json(accept: str) -> bool:
    """Whether the caller takes JSON; no header takes anything."""
    if accept in ("", "*/*", "application/json"):
        return True
    kinds = [part.partition(";")[0].strip() for part in accept.lower().split(",")]
    return not accept.strip() or any(kind in ("application/json", "application/*", "*/*") for kind in kinds)


def json_answer(value: Any, status: int = 200, secrets: Iterable[str] = ()) -> Response:
    """JSON as the flow returned it, secrets of its connections hidden."""
    return Response(status, redact_json(dump_json(value), secrets).encode())


def refused(refusal: Refusal) -> Response:
    """Prompt flow's shape of an error: the caller's fault below 500, the service's above."""
    code = "UserError" if refusal.status < 500 else "SystemError"
    response = json_answer({"error": {"code": code, "message": refusal.message}}, refusal.status)
    if refusal.retry_after_s is not None:
        response.headers["retry-after"] = str(refusal.retry_after_s)
    return response


def error_of_line(error: ErrorRecord) -> Refusal:
    """A failed line. Like prompt flow's, it is the caller's fault whatever failed: inputs, the flow's code, a model."""
    place = f" (node {error.node})" if error.node else ""
    return Refusal(400, f"{error.type}: {error.message}{place}")


async def joined_streams(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs with every stream read to its end."""
    return {
        name: "".join([str(piece) async for piece in value]) if isinstance(value, TextStream) else value
        for name, value in outputs.items()
    }


async def pieces(request: Request, outputs: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """First all outputs that are complete, if there are any, then each piece of a stream, by the output's name.

    What ends a stream early is raised: what its code raises, and Refusal when the server has to stop.
    """
    complete = {name: value for name, value in outputs.items() if not isinstance(value, TextStream)}
    if complete:
        yield complete
    for name, value in outputs.items():
        if isinstance(value, TextStream):
            try:
                async for piece in value:
                    yield {name: piece}
            except asyncio.CancelledError:
                if request.is_gone or not request.is_stopping:
                    raise
                raise stopped() from None
            finally:
                await value.close()


def event(data: Any, secrets: Iterable[str], *, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {redact_json(dump_json(data), secrets)}\n\n".encode()


def stopped() -> Refusal:
    """What a request is told that the end of the server cuts off."""
    return Refusal(503, "The server is stopping.", retry_after_s=1)
