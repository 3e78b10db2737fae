"""What is kept of a request: text under roles, and never a picture's bytes."""

from __future__ import annotations

from typing import Any

import pytest

from flowyard.llm.sent_prompt import sent_prompt
from flowyard.records import ModelRequest

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"id": "x", "function": {"name": "look_up", "arguments": '{"city": "Ulm"}'}}


@pytest.mark.parametrize(
    ("operation", "body", "text"),
    [
        (
            "chat",
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
            "system:\nBe brief.\n\nuser:\nHi",
        ),
        (
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]},
            "user:\nWhat is it?\n[image]",
        ),
        (
            "chat",
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]},
            'assistant:\n\n[calls look_up {"city": "Ulm"}]',
        ),
        ("chat", {"messages": ["odd", {"role": "user", "content": [1, {"type": "text"}]}]}, "odd\n\nuser:\n1\n[text]"),
        ("completion", {"prompt": "Once upon"}, "Once upon"),
        ("completion", {}, ""),
        ("embedding", {"input": "many words"}, ""),
    ],
)
def test_requests_as_text(operation: Any, body: dict[str, Any], text: str) -> None:
    assert sent_prompt(ModelRequest(operation, "m", body)) == text


def test_a_huge_prompt_is_shortened_and_says_so() -> None:
    text = sent_prompt(ModelRequest("completion", "m", {"prompt": "x" * 20_300}))
    assert text == "x" * 20_000 + "… 300 more characters"
