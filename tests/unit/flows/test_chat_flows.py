"""Which flows are chats, and the form of their history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import UserError
from flowyard.flows import DagFlow, FlexFlow, Input, Literal, Output
from flowyard.flows.chat import chat_shape, require_chat


def inputs(*names: str, **marks: str) -> dict[str, Input]:
    return {
        name: Input(
            name, "string", is_chat_input=marks.get(name) == "question", is_chat_history=marks.get(name) == "history"
        )
        for name in names
    }


def outputs(*names: str, answers: tuple[str, ...] = ()) -> dict[str, Output]:
    return {name: Output(name, Literal(None), is_chat_output=name in answers) for name in names}


def dag(**parts: Any) -> DagFlow:
    return DagFlow(name="f", file=Path("flow.dag.yaml"), folder=Path(), nodes=(), **parts)


def flex(**parts: Any) -> FlexFlow:
    return FlexFlow(name="f", file=Path("flow.flex.yaml"), folder=Path(), entry="a:b", **parts)


MARKED = inputs("q", "h", "tone", q="question", h="history")


def test_a_marked_dag_flow_is_a_chat():
    shape = require_chat(dag(inputs=MARKED, outputs=outputs("a", "b", answers=("b",))))
    assert (shape.question, shape.history, shape.answer) == ("q", "h", "b")
    outputs_of_turn = {"a": 1, "b": "x"}
    assert shape.answer_in(outputs_of_turn) == "b"
    assert shape.turn("hi", outputs_of_turn) == [{"inputs": {"q": "hi"}, "outputs": outputs_of_turn}]


@pytest.mark.parametrize(
    "flow",
    [
        dag(inputs=inputs("q", "h", h="history"), outputs=outputs("a", answers=("a",))),
        dag(inputs=inputs("q", "h", q="question"), outputs=outputs("a", answers=("a",))),
        dag(inputs=inputs("q", "r", "h", q="question", r="question", h="history"), outputs=outputs("a")),
        dag(inputs=MARKED, outputs=outputs("a", "b", answers=("a", "b"))),
        dag(inputs=MARKED, outputs=outputs("a")),
        flex(inputs=inputs("question")),
        flex(inputs=inputs("one", "two", "chat_history", chat_history="history")),
    ],
    ids=["no question", "no history", "two questions", "two answers", "no answer", "flex alone", "flex unclear"],
)
def test_what_is_no_chat_says_what_it_has(flow: Any):
    assert chat_shape(flow) is None
    with pytest.raises(UserError, match="is not a chat: its inputs are '") as caught:
        require_chat(flow)
    assert caught.value.hint


def test_a_dag_flow_without_outputs_is_a_chat():
    shape = require_chat(dag(inputs=MARKED))
    assert shape.answer_in({}) is None
    assert shape.turn("hi", {}) == [{"inputs": {"q": "hi"}, "outputs": {}}]


@pytest.mark.parametrize(
    ("names", "question"),
    [(("text",), "text"), (("anything",), "anything"), (("tone", "question"), "question"), (("x", "query"), "query")],
)
def test_the_question_of_a_flex_flow_is_found_by_what_it_is_called(names: tuple[str, ...], question: str):
    shape = require_chat(flex(inputs=inputs(*names, "chat_history", chat_history="history")))
    assert (shape.question, shape.history, shape.is_openai_style) == (question, "chat_history", True)


def test_the_only_input_that_must_be_given_is_the_question():
    found = inputs("said", "chat_history", chat_history="history")
    found["tone"] = Input("tone", "string", default="calm")
    assert require_chat(flex(inputs=found)).question == "said"


@pytest.mark.parametrize(
    ("outputs_of_turn", "content"),
    [({"x": "no", "answer": "yes"}, "yes"), ({"output": [1, "ä"]}, '[1, "ä"]'), ({"other": "it"}, "it"), ({}, "")],
)
def test_turns_of_a_flex_flow_are_messages(outputs_of_turn: dict[str, Any], content: str):
    shape = require_chat(flex(inputs=inputs("q", "chat_history", chat_history="history")))
    assert shape.turn("hi", outputs_of_turn) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": content},
    ]
