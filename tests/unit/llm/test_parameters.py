from __future__ import annotations

from typing import Any

import pytest

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection, ServerlessConnection, SimulatedConnection
from flowyard.llm.parameters import build_request, read_result, read_usage, split_inputs, wants_stream
from flowyard.records import ModelReply, Usage

AZURE = AzureOpenAIConnection("https://b", "k", name="a")
OPENAI = OpenAIConnection("k", name="o")
TOOL = {"type": "function", "function": {"name": "f"}}


def test_inputs_are_split_by_name() -> None:
    inputs = {"temperature": 0, "question": "q", "tools": [], "suffix": "s"}
    assert split_inputs("chat", inputs) == ({"temperature": 0, "tools": []}, {"question": "q", "suffix": "s"})
    assert split_inputs("completion", inputs)[0] == {"temperature": 0, "suffix": "s"}
    with pytest.raises(UserError, match="no api 'chatt'"):
        split_inputs("chatt", {})


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"max_tokens": "256", "temperature": "0"}, {"max_tokens": 256, "temperature": 0.0}),
        ({"max_tokens": "inf", "seed": 1.0, "stop": [], "user": "", "presence_penalty": None}, {"seed": 1}),
        ({"stop": '["a"]', "logit_bias": '{"1": 2}'}, {"stop": ["a"], "logit_bias": {"1": 2}}),
        ({"stop": "END"}, {"stop": "END"}),
        ({"response_format": '{"type": "json_object"}'}, {"response_format": {"type": "json_object"}}),
        ({"tools": [TOOL], "functions": [{}], "function_call": "auto"}, {"tools": [TOOL]}),
        ({"functions": '[{"name": "f"}]', "tool_choice": "auto"}, {"functions": [{"name": "f"}]}),
        ({"n": "2", "stream": "true", "top_k": 3}, {"n": 2, "top_k": 3}),
    ],
)
def test_values_take_the_form_of_the_api(given: dict[str, Any], body: dict[str, Any]) -> None:
    request = build_request(AZURE, "chat", {"deployment_name": "d", **given}, [{"role": "user", "content": "x"}])
    assert (request.operation, request.model) == ("chat", "d")
    assert request.body == {"messages": [{"role": "user", "content": "x"}], **body}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_tokens": "many"}, "'max_tokens' must be a whole number, not 'many'"),
        ({"temperature": "hot"}, "'temperature' must be a number"),
        ({"tools": "nope"}, "'tools' must be JSON"),
        ({"stream": "maybe"}, "'stream' must be true or false"),
        ({"stream": True, "tools": [TOOL]}, "cannot be streamed"),
    ],
)
def test_values_that_cannot_be_sent(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_request(AZURE, "chat", {"deployment_name": "d", **given}, [])


def test_the_model_has_another_name_in_azure() -> None:
    assert build_request(OPENAI, "completion", {"model": "m", "n": 2}, "p").body == {"prompt": "p", "n": 2}
    assert build_request(OPENAI, "chat", {"model": "m", "n": 2}, []).body == {"messages": []}
    assert build_request(ServerlessConnection("k", "b"), "chat", {}, []).model == ""
    assert build_request(SimulatedConnection("r"), "chat", {}, []).model == "simulated"
    with pytest.raises(UserError, match="needs the input 'model'"):
        build_request(OPENAI, "chat", {"deployment_name": "d"}, [])
    with pytest.raises(UserError, match="needs the input 'deployment_name'"):
        build_request(AZURE, "chat", {"model": "m"}, [])


def test_stream_is_read_from_text() -> None:
    assert wants_stream({"stream": "True"})
    assert not wants_stream({"stream": "false"})
    assert not wants_stream({})


def _reply(**choice: Any) -> ModelReply:
    return ModelReply({"choices": [choice]}, Usage())


def test_results() -> None:
    chat = build_request(OPENAI, "chat", {"model": "m"}, [])
    tools = build_request(OPENAI, "chat", {"model": "m", "tools": [TOOL]}, [])
    message = {"role": "assistant", "content": "hi"}
    assert read_result("chat", chat, _reply(message=message)) == "hi"
    assert read_result("chat", chat, _reply(message={"content": None})) is None
    assert read_result("chat", tools, _reply(message=message)) == {**message, "function_call": None, "tool_calls": None}
    assert read_result("completion", chat, _reply(text="t")) == "t"
    with pytest.raises(ProviderError, match="no choices"):
        read_result("chat", chat, ModelReply({"choices": []}, Usage()))


def test_usage() -> None:
    body = {"usage": {"prompt_tokens": 3, "completion_tokens": None}}
    assert read_usage(body) == Usage(1, 3, 0, 0)
    assert read_usage({"flowyard_simulated": True, "usage": None}) == Usage(1, 0, 0, 1)
