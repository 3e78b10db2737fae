"""Requests of prompties, and what their answers are worth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowyard.errors import LineError, ProviderError, UserError
from flowyard.llm.answer import Answer
from flowyard.llm.prompty_parameters import build_prompty_request, first_choice, json_answer, stream_piece
from flowyard.records import ModelRequest

MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


def test_parameters_go_into_the_body_as_they_are() -> None:
    given = {
        "temperature": "0",
        "stop": [],
        "n": 2,
        "max_tokens": None,
        "newer": {"a": 1},
        "model": "x",
        "stream": True,
    }
    request = build_prompty_request("chat", "m", given, MESSAGES)
    body = {"temperature": "0", "stop": [], "n": 2, "max_tokens": None, "newer": {"a": 1}, "messages": MESSAGES}
    assert request == ModelRequest("chat", "m", body)


def test_what_is_meant_for_the_client_is_no_parameter() -> None:
    given = {"timeout": 3, "extra_headers": {"x-a": 1}, "extra_body": {"top_k": 4, "temperature": 0}, "temperature": 1}
    request = build_prompty_request("completion", "m", given, "text")
    body = {"temperature": 0, "prompt": "text", "top_k": 4}
    assert request == ModelRequest("completion", "m", body, 3.0, {"x-a": "1"})
    assert build_prompty_request("chat", "m", given, MESSAGES, 0.5).timeout_s == 0.5


def test_a_choice_of_tools_defaults_to_auto() -> None:
    assert build_prompty_request("chat", "m", {"tools": [1]}, MESSAGES).body["tool_choice"] == "auto"
    assert build_prompty_request("chat", "m", {"tools": [1], "tool_choice": "none"}, []).body["tool_choice"] == "none"
    assert build_prompty_request("chat", "m", {"functions": [1]}, MESSAGES).body["function_call"] == "auto"


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"timeout": "soon"}, "'timeout' must be a number of seconds, not 'soon'"),
        ({"timeout": 0}, "number of seconds"),
        ({"timeout": float("nan")}, "number of seconds"),
        ({"extra_body": [1]}, "'extra_body' must be a mapping"),
        ({"extra_query": {"a": 1}}, "'extra_query' is not supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused(parameters: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=word):
        build_prompty_request("chat", "m", parameters, MESSAGES)


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("choice", "result"),
    [
        ({"message": {"content": "hi"}, "finish_reason": "stop"}, "hi"),
        ({"message": {"content": None}, "finish_reason": "length"}, None),
        ({"message": {}}, None),
        ({"message": {"tool_calls": [CALL]}, "finish_reason": "tool_calls"}, {"tool_calls": [CALL]}),
        ({"message": {"tool_calls": [CALL]}, "finish_reason": "stop"}, {"tool_calls": [CALL]}),
        ({"message": {"function_call": {"name": "f"}}}, {"function_call": {"name": "f"}}),
        ({"message": {"content": "hi", "tool_calls": None}}, "hi"),
    ],
)
def test_the_first_choice(choice: dict[str, Any], result: Any) -> None:
    assert first_choice("chat", {"choices": [choice, {"message": {"content": "second"}}]}) == result


def test_the_first_choice_of_a_completion() -> None:
    assert first_choice("completion", {"choices": [{"text": "a"}, {"text": "b"}]}) == "a"


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [5]}, {"choices": [{"message": "x"}]}])
def test_an_answer_without_a_choice_fails(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        first_choice("chat", body)


def test_json_answers() -> None:
    assert json_answer('{"a": 1, "b": 2}', ()) == {"a": 1, "b": 2}
    assert json_answer('{"a": 1, "b": 2}', ("b",)) == {"b": 2}
    assert json_answer("[1]", ()) == [1]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("certainly: {}", "is not JSON: .*It starts: 'certainly"),
        (None, "is not JSON"),
        ("[1]", "a JSON list, not an object"),
        ('{"b": 1}', "lacks 'a', 'c'; it has: b"),
    ],
)
def test_json_answers_that_are_none(text: str | None, word: str) -> None:
    with pytest.raises(LineError, match=word):
        json_answer(text, ("a", "c"))


@pytest.mark.parametrize(
    ("chunk", "piece"),
    [
        ({"choices": [{"index": 0, "delta": {"content": "a"}}]}, "a"),
        ({"choices": [{"index": 1, "delta": {"content": "b"}}]}, ""),
        ({"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}, "a"),
        ({"choices": [{"delta": {"content": None}}]}, ""),
        ({"choices": [{"delta": None}]}, ""),
        ({"choices": [], "usage": {}}, ""),
        ({"choices": None}, ""),
    ],
)
def test_pieces_of_a_stream(chunk: dict[str, Any], piece: str) -> None:
    assert stream_piece("chat", chunk) == piece


def test_pieces_of_a_completion() -> None:
    assert stream_piece("completion", {"choices": [{"text": "a"}]}) == "a"


def test_a_whole_answer_reads_like_the_clients_objects() -> None:
    body = {"id": "x", "choices": [{"index": 0, "message": {"content": "hi", "tool_calls": [CALL]}}], "usage": {"n": 1}}
    answer = Answer(body)
    assert answer.choices[0].message.tool_calls[0].function.name == "f"
    assert answer.choices[0].message.refusal is None
    assert answer.usage.n == answer["usage"]["n"] == 1
    assert answer == body
    assert answer.model_dump() == json.loads(answer.model_dump_json()) == body
    assert type(answer.model_dump()["choices"][0]) is dict
    with pytest.raises(AttributeError, match=r"no 'choise' here; it has: id, choices, usage"):
        _ = answer.choise
