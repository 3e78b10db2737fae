"""Messages of OpenAI's chat API as the inputs of a chat flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowyard.flows.chat import ChatShape
from flowyard.flows.model import Flow
from flowyard.wire import Refusal

__all__ = ["chat_inputs"]

_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)


def chat_inputs(flow: Flow, chat: ChatShape, body: Mapping[str, Any]) -> dict[str, Any]:
    """The flow's inputs: the last message is the question, those before it the history.

    Other inputs of the flow are in the body's ``inputs``, which is flowyard's own. A history of a DAG flow has
    questions and answers only, so that messages of other roles are left out there. Raises Refusal.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refusal(400, "messages must be a list of messages, and not empty.")
    *earlier, last = messages
    if last.get("role") != "user":
        raise Refusal(400, "The last message must be the user's.")
    others = body.get("inputs", {})
    if not isinstance(others, dict):
        raise Refusal(400, "inputs must be an object with the flow's other inputs.")
    history = _openai_history(earlier) if chat.is_openai_style else _turns(flow, chat, earlier)
    return {**others, chat.question: _content(flow, chat, last), chat.history: history}


def _openai_history(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": str(each.get("role")), "content": each.get("content")} for each in messages]


def _turns(flow: Flow, chat: ChatShape, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each user's message with the assistant's after it; of several in a row the last counts."""
    turns: list[dict[str, Any]] = []
    asked: Any = None
    for each in messages:
        if each.get("role") == "user":
            asked = _content(flow, chat, each)
        elif each.get("role") == "assistant" and asked is not None:
            answer = chat.answer or next(iter(flow.outputs), "output")
            turns.append({"inputs": {chat.question: asked}, "outputs": {answer: _plain(each.get("content"))}})
            asked = None
    return turns


def _content(flow: Flow, chat: ChatShape, message: Mapping[str, Any]) -> Any:
    """What a message says, in the form the flow's question has."""
    content = message.get("content")
    if isinstance(content, str):
        return [content] if flow.inputs[chat.question].type == "list" else content
    if not isinstance(content, list):
        raise Refusal(400, "The content of a message must be text or a list of parts.")
    if flow.inputs[chat.question].type == "string":
        if any(_kind(part) != "text" for part in content):
            raise Refusal(400, f"The flow's input {chat.question!r} takes text only.")
        return _plain(content)
    return content if flow.message_format == "openai-vision" else [_basic(part) for part in content]


def _basic(part: Any) -> Any:
    """A part in prompt flow's own form: text, or a picture as a map."""
    if _kind(part) == "text":
        return part.get("text", "")
    if _kind(part) != "image_url":
        raise Refusal(400, f"A part of type {_kind(part)!r} is not known; there are text and image_url.")
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise Refusal(400, "image_url must have a url.")
    found = _DATA_URL.fullmatch(url)
    return {f"data:{found[1]};base64": found[2]} if found else {"data:image/png;url": url}


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if _kind(part) == "text")
    return "" if content is None else str(content)


def _kind(part: Any) -> str:
    return str(part.get("type")) if isinstance(part, dict) else "text" if isinstance(part, str) else ""
