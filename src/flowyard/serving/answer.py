"""A line's result as an HTTP answer: JSON, a stream of events, or an error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aiohttp import web

from flowyard._util.files import dump_json
from flowyard._util.redact import redact_json
from flowyard.engine.stream import TextStream
from flowyard.records import ErrorRecord

__all__ = ["accepts_events", "accepts_json", "error_answer", "error_of_line", "events", "joined_streams", "json_answer"]


def accepts_events(accept: str) -> bool:
    """Whether the caller asks for server-sent events by name."""
    return "text/event-stream" in accept.lower()


def accepts_json(accept: str) -> bool:
    """Whether the caller takes JSON; no header takes anything."""
    kinds = [part.partition(";")[0].strip() for part in accept.lower().split(",")]
    return not accept.strip() or any(kind in ("application/json", "application/*", "*/*") for kind in kinds)


def json_answer(value: Any, status: int = 200, secrets: Iterable[str] = ()) -> web.Response:
    """JSON as the flow returned it, secrets of its connections hidden."""
    return web.Response(text=redact_json(dump_json(value), secrets), status=status, content_type="application/json")


def error_answer(status: int, message: str) -> web.Response:
    """Prompt flow's shape of an error: the caller's fault below 500, the service's above."""
    code = "UserError" if status < 500 else "SystemError"
    return json_answer({"error": {"code": code, "message": message}}, status)


def error_of_line(error: ErrorRecord) -> web.Response:
    """A failed line. Like prompt flow's, it is the caller's fault whatever failed: inputs, the flow's code, a model."""
    place = f" (node {error.node})" if error.node else ""
    return error_answer(400, f"{error.type}: {error.message}{place}")


async def joined_streams(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs with every stream read to its end."""
    return {
        name: "".join([str(piece) async for piece in value]) if isinstance(value, TextStream) else value
        for name, value in outputs.items()
    }


async def events(outputs: Mapping[str, Any], secrets: list[str]) -> AsyncIterator[bytes]:
    """First one event with all outputs that are complete, then one event for each piece of a stream.

    A failure in mid-stream becomes an event called ``error``, so that a caller can tell it from the end.
    """
    complete = {name: value for name, value in outputs.items() if not isinstance(value, TextStream)}
    if complete:
        yield _event(complete, secrets)
    for name, value in outputs.items():
        if isinstance(value, TextStream):
            try:
                async for piece in value:
                    yield _event({name: piece}, secrets)
            except Exception as error:  # the rest of a flow's code runs here, and may raise anything
                body = {"error": {"code": "UserError", "message": f"{type(error).__name__}: {error}"}}
                yield b"event: error\n" + _event(body, secrets)
                return


def _event(data: Mapping[str, Any], secrets: list[str]) -> bytes:
    return f"data: {redact_json(dump_json(data), secrets)}\n\n".encode()
