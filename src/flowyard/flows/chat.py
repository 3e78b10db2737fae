"""Which flows are chats, and the history that a caller keeps for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import UserError
from flowyard.flows.model import DagFlow, Flow

__all__ = ["ChatShape", "chat_shape", "require_chat"]

_QUESTIONS = ("question", "query", "chat_input", "user_input", "input", "message", "text")
_ANSWERS = ("answer", "output", "reply", "response", "result")


@dataclass(frozen=True, slots=True)
class ChatShape:
    """The parts of a chat: the input with what a person says, the input with what was said, the output with the answer.

    ``answer`` is None when the flow does not say which output it is. ``is_openai_style`` says how turns are recorded:
    as messages with roles, or else as the inputs and outputs of each turn.
    """

    question: str
    history: str
    answer: str | None
    is_openai_style: bool

    def answer_in(self, outputs: Mapping[str, Any]) -> str | None:
        """The name of the output that answers, in the outputs of one turn; None when none does."""
        if self.answer is not None:
            return self.answer if self.answer in outputs else None
        named = [name for name in _ANSWERS if name in outputs]
        return next(iter(named or outputs), None)

    def turn(self, question: str, outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What one finished turn adds to the history, in the form that prompt flow gives it."""
        if not self.is_openai_style:
            return [{"inputs": {self.question: question}, "outputs": dict(outputs)}]
        name = self.answer_in(outputs)
        said = outputs[name] if name is not None else ""
        content = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str)
        return [{"role": "user", "content": question}, {"role": "assistant", "content": content}]


def chat_shape(flow: Flow) -> ChatShape | None:
    """How to chat with a flow; None when it is no chat.

    A DAG flow is one when exactly one input is the chat input, at most one output the chat output, and an input holds
    the history. Flex flows and prompties mark nothing: theirs need an input for the history, which is called
    ``chat_history`` unless marked, and one input that can be the question.
    """
    marked = [name for name, each in flow.inputs.items() if each.is_chat_input]
    histories = [name for name, each in flow.inputs.items() if each.is_chat_history]
    answers = [name for name, each in flow.outputs.items() if each.is_chat_output]
    if len(marked) > 1 or len(answers) > 1 or not histories:
        return None
    if isinstance(flow, DagFlow):
        if not marked or (flow.outputs and not answers):
            return None
        return ChatShape(marked[0], histories[0], answers[0] if answers else None, is_openai_style=False)
    question = marked[0] if marked else _question(flow, histories[0])
    if question is None:
        return None
    return ChatShape(question, histories[0], answers[0] if answers else None, is_openai_style=True)


def _question(flow: Flow, history: str) -> str | None:
    others = [name for name in flow.inputs if name != history]
    if len(others) == 1:
        return others[0]
    known = [name for name in _QUESTIONS if name in others]
    needed = [name for name in others if flow.inputs[name].required]
    return known[0] if known else needed[0] if len(needed) == 1 else None


def require_chat(flow: Flow) -> ChatShape:
    """How to chat with a flow. Raises UserError saying what it lacks."""
    found = chat_shape(flow)
    if found is not None:
        return found
    hint = "Mark one input with 'is_chat_input: true', one with 'is_chat_history: true' and one output with "
    hint += "'is_chat_output: true'."
    if not isinstance(flow, DagFlow):
        hint = "It needs an input called 'chat_history' and one for the question."
    message = f"{flow.file.name} is not a chat: its inputs are {known_names(flow.inputs)}"
    raise UserError(f"{message}, its outputs {known_names(flow.outputs)}.", hint=hint)
