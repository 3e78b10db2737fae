"""The request and response shapes of open models' endpoints, by model family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError

__all__ = ["FAMILIES", "ModelFormat", "format_of"]

FAMILIES = ("LLAMA", "DOLLY", "GPT2", "FALCON")
"""What a connection's ``model_family`` can be."""

_SPELLINGS = {"gpt-2": "GPT2"}
_LLAMA_ROLES = ("system", "user", "assistant")
_SERVERLESS_MODEL = "llama-2-7b-hf"
"""What prompt flow calls the model of a serverless endpoint, which serves one model whatever it is called."""

Question = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ModelFormat(ABC):
    """How one kind of endpoint is asked and what it answers; ``url`` is the address that takes requests."""

    family: str
    url: str
    is_chat: bool

    @property
    def takes_messages(self) -> bool:
        """Whether it is asked with chat messages rather than with the prompt's text."""
        return self.is_chat

    @abstractmethod
    def body(self, question: Question, parameters: dict[str, Any]) -> dict[str, Any]:
        """The request's JSON for a prompt's messages or its text. Raises UserError."""

    @abstractmethod
    def text(self, answer: Any) -> Any:
        """The generated text. Raises KeyError, IndexError or TypeError when the answer has another shape."""


class _Standard(ModelFormat):
    """Dolly, GPT-2 and Falcon: text in, text out; a chat prompt is one text too."""

    @property
    def takes_messages(self) -> bool:
        return False

    def body(self, question: Question, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"input_data": {"input_string": [question]}, "parameters": parameters}

    def text(self, answer: Any) -> Any:
        return answer["output"] if isinstance(answer, dict) else answer[0]["0"]


class _Llama(ModelFormat):
    """Llama behind a managed online endpoint."""

    def body(self, question: Question, parameters: dict[str, Any]) -> dict[str, Any]:
        asked = _llama_messages(question) if self.is_chat else [question]
        return {"input_data": {"input_string": asked, "parameters": {**parameters, "do_sample": _sampling(parameters)}}}

    def text(self, answer: Any) -> Any:
        return answer["output"] if self.is_chat else answer[0]["0"]


class _ServerlessLlama(ModelFormat):
    """Llama behind a serverless endpoint, which speaks OpenAI's protocol."""

    def body(self, question: Question, parameters: dict[str, Any]) -> dict[str, Any]:
        given = {**parameters, "max_tokens": parameters["max_new_tokens"], "n": 1}
        if self.is_chat:
            return {"model": _SERVERLESS_MODEL, "messages": _llama_messages(question), **given}
        return {"prompt": question, **given}

    def text(self, answer: Any) -> Any:
        choice = answer["choices"][0]
        return choice["message"]["content"] if self.is_chat else choice["text"]


def format_of(family: str, url: str, *, is_chat: bool) -> ModelFormat:
    """The shapes for a model family, in any case, and an endpoint's address. Raises UserError for other families."""
    name = _SPELLINGS.get(family.lower(), family.upper())
    if name not in FAMILIES:
        near = did_you_mean(name, FAMILIES) or f"Families: {known_names(FAMILIES)}."
        raise UserError(f"The model family {family!r} is not known.", hint=near)
    if name != "LLAMA":
        return _Standard(name, url, is_chat)
    if not any(host in url for host in ("serverless.ml.azure.com", "inference.ai.azure.com")):
        return _Llama(name, url, is_chat)
    path = "/v1/chat/completions" if is_chat else "/v1/completions"
    return _ServerlessLlama(name, url if url.endswith(path) else url + path, is_chat)


def _sampling(parameters: Mapping[str, Any]) -> Any:
    return parameters.get("do_sample", True)


def _llama_messages(question: Question) -> list[dict[str, Any]]:
    assert not isinstance(question, str)
    for message in question:
        if message["role"] not in _LLAMA_ROLES:
            raise UserError(
                f"Llama models know no role {message['role']!r}.", hint=f"Roles: {', '.join(_LLAMA_ROLES)}."
            )
    return [{"role": message["role"], "content": message.get("content") or ""} for message in question]
