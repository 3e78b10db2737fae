"""What a request asks, read from the OpenAI wire format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["BadRequest", "Operation", "Question", "choice_count", "embedding_inputs", "read_questions"]

Operation = Literal["chat", "completion", "embedding"]


class BadRequest(Exception):
    """The request cannot be answered; ``param`` names the field at fault, ``code`` what is wrong with it."""

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt: all its text, the text per role, and what the last user said.

    ``after_tool`` says that the conversation ends with the result of a tool, which calls for text. ``request`` is the
    whole body.
    """

    model: str
    prompt: str
    system: str
    user: str
    last: str
    after_tool: bool = False
    takes_tools: bool = True
    request: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_questions(operation: Operation, body: Mapping[str, Any]) -> list[Question]:
    """One question for a chat, one per prompt for a completion. Raises BadRequest."""
    model = str(body.get("model") or "simulated")
    if operation == "chat":
        return [replace(_read_chat(model, body.get("messages")), request=body)]
    prompts = body.get("prompt")
    listed = prompts if isinstance(prompts, list) else [prompts]
    texts = [prompt for prompt in listed if isinstance(prompt, str)]
    if not texts or len(texts) < len(listed):
        raise BadRequest("'prompt' must be a text or a list of texts.", "prompt")
    return [Question(model, text, "", text, text, takes_tools=False, request=body) for text in texts]


def choice_count(body: Mapping[str, Any]) -> int:
    """How many choices are asked for (``n``). Raises BadRequest."""
    count = body.get("n")
    if count is None:
        return 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 128:
        raise BadRequest("'n' must be a whole number from 1 to 128.", "n")
    return count


def embedding_inputs(body: Mapping[str, Any]) -> list[Any]:
    """The texts (or token lists) to embed. Raises BadRequest."""
    given = body.get("input")
    single = isinstance(given, str) or (isinstance(given, list) and bool(given) and isinstance(given[0], int))
    inputs = [given] if single else given
    if not isinstance(inputs, list) or not inputs or not all(item and isinstance(item, str | list) for item in inputs):
        raise BadRequest("'input' must be a text that is not empty, or a list of them.", "input")
    return inputs


def _read_chat(model: str, messages: Any) -> Question:
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a list with at least one message.", "messages")
    if not all(isinstance(message, Mapping) and isinstance(message.get("role"), str) for message in messages):
        raise BadRequest("Every message must be an object with a 'role'.", "messages")
    said = [(message["role"], _text_of(message.get("content"))) for message in messages]
    users = [text for role, text in said if role == "user"]
    return Question(
        model=model,
        prompt=_join([text for _, text in said]),
        system=_join([text for role, text in said if role in {"system", "developer"}]),
        user=_join(users),
        last=users[-1] if users else "",
        after_tool=said[-1][0] in {"tool", "function"},
    )


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return _join([text for text in texts if isinstance(text, str)])


def _join(texts: Sequence[str]) -> str:
    return "\n".join(text for text in texts if text)
