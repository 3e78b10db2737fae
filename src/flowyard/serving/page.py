"""The page to try a flow: three files, and what they have to know of the flow as JSON."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from flowyard.serving.answer import json_answer
from flowyard.serving.service import Service
from flowyard.wire import Request, Response

__all__ = ["facts", "page_file"]

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


async def page_file(_service: Service, _request: Request, *, name: str) -> Response:
    """One of the page's files."""
    return Response(200, _read(name), f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8", dict(_HEADERS))


async def facts(service: Service, _request: Request) -> Response:
    """What the page shows of the flow: its name, its inputs, and how to chat with it."""
    flow, chat = service.runner.flow, service.chat
    return json_answer(
        {
            "name": service.settings.served_flow or flow.name,
            "format": flow.message_format,
            "simulated": service.runner.is_simulated,
            "chat": chat
            and {
                "question": chat.question,
                "history": chat.history,
                "answer": chat.answer or chat.answer_in(flow.outputs),
                "openai": chat.is_openai_style,
                "pictures": flow.inputs[chat.question].type != "string",
            },
            "inputs": [
                {
                    "name": name,
                    "type": declared.type,
                    "description": declared.description or "",
                    "required": declared.required,
                    "default": None if declared.required else declared.default,
                }
                for name, declared in flow.inputs.items()
            ],
        }
    )


@cache
def _read(name: str) -> bytes:
    return (files("flowyard.serving") / "page_files" / name).read_bytes()
