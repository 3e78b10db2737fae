"""The OpenAPI description of a served flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.flows.chat import chat_shape
from flowyard.flows.model import Flow, Input

__all__ = ["openapi", "shown_outputs"]

_TYPES: Mapping[str, Mapping[str, Any]] = {
    "int": {"type": "integer"},
    "double": {"type": "number"},
    "bool": {"type": "boolean"},
    "string": {"type": "string"},
    "list": {"type": "array", "items": {}},
    "object": {"type": "object"},
    "image": {"type": "object"},
}


def openapi(flow: Flow, outputs: list[str]) -> dict[str, Any]:
    """OpenAPI 3.0 with one operation, ``POST /score``; ``outputs`` are the names that answers show.

    Unlike prompt flow's, it lists only those inputs as required that have no default.
    """
    request = {
        "type": "object",
        "properties": {name: _property(declared) for name, declared in flow.inputs.items()},
        "required": [name for name, declared in flow.inputs.items() if declared.required],
    }
    if not request["required"]:
        del request["required"]  # an empty list is not valid
    answer = {"type": "object", "properties": {name: _output(flow, name) for name in outputs}}
    operation = {
        "summary": f"Run the flow {flow.name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": "The outputs", "content": {"application/json": {"schema": answer}}},
            "400": {"description": "The request, or the flow's own code, is wrong"},
            "default": {"description": "The service failed"},
        },
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": f"Promptflow[{flow.name}] API", "version": "1.0.0", "x-flow-name": flow.name, **_chat(flow)},
        "components": {"securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}}},
        "security": [{"bearerAuth": []}],
        "paths": {"/score": {"post": operation}},
    }


def shown_outputs(flow: Flow, included: frozenset[str] | None) -> list[str]:
    """The outputs that answers show: those included, or all but those for evaluation only."""
    if included is not None:
        return [name for name in flow.outputs if name in included]
    return [name for name, output in flow.outputs.items() if not output.evaluation_only]


def _property(declared: Input) -> dict[str, Any]:
    described = {"description": declared.description} if declared.description else {}
    default = {} if declared.required else {"default": declared.default}
    return {**_TYPES.get(declared.type, {}), **described, **default}


def _output(flow: Flow, name: str) -> dict[str, Any]:
    return dict(_TYPES.get(flow.outputs[name].type, {}))


def _chat(flow: Flow) -> dict[str, str]:
    chat = chat_shape(flow)
    if chat is None or chat.is_openai_style:  # prompt flow's clients know the other history only
        return {}
    shown = {"x-flow-type": "chat", "x-chat-input": chat.question, "x-chat-history": chat.history}
    return {**shown, "x-chat-output": chat.answer} if chat.answer else shown
