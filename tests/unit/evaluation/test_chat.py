"""Conversations: what counts as one, and how its replies are graded."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_judges import Judged, judged

from flowyard.evaluation.builtin import Chat, Retrieval
from flowyard.evaluation.builtin.conversation import parse_conversation

GRADES = """\
rules:
- when: {user: 'QUESTION: "first'}
  reply: "2"
- when: {user: 'QUESTION: "second'}
  reply: "4"
- when: {user: 'CONTEXT: .*alpha'}
  reply: "1"
- when: {user: 'CONTEXT: .*beta'}
  reply: "?"
"""
CITED = {"context": {"citations": [{"id": "a", "content": "alpha"}]}}


def conversation(*, cited: bool = True) -> list[dict[str, Any]]:
    two = {"context": {"citations": [{"id": "b", "content": "beta"}]}}
    return [
        {"role": "user", "content": "first?"},
        {"role": "assistant", "content": "yes", **(CITED if cited else {})},
        {"role": "user", "content": "second?"},
        {"role": "assistant", "content": "no", **(two if cited else {})},
    ]


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Judged]:
    with judged(tmp_path, GRADES) as judge:
        yield judge


@pytest.mark.parametrize("parallel", [True, False])
def test_every_reply_is_graded_and_means_are_taken(parallel: bool, model: Judged) -> None:
    found = Chat(model.config, model.services, parallel=parallel)(conversation=conversation())
    assert found["gpt_coherence"] == found["gpt_relevance"] == found["gpt_retrieval"] == 3.0
    assert found["evaluation_per_turn"]["gpt_fluency"] == {"score": [2.0, 4.0]}
    # A grade that could not be had keeps its place, and the mean is that of the others.
    scores = found["evaluation_per_turn"]["gpt_groundedness"]["score"]
    assert scores[0] == 1.0
    assert math.isnan(scores[1])
    assert found["gpt_groundedness"] == 1.0


def test_only_the_last_turn(model: Judged) -> None:
    found = Chat(model.config, model.services, eval_last_turn=True)(conversation=conversation())
    assert found["evaluation_per_turn"]["gpt_coherence"] == {"score": [4.0]}
    assert all("first?" not in request["messages"][1]["content"] for request in model.asked)


def test_without_citations_two_metrics_are_left(model: Judged, caplog: pytest.LogCaptureFixture) -> None:
    half = [*conversation()[:3], {"role": "assistant", "content": "no"}]
    with caplog.at_level(logging.WARNING, "flowyard"):
        for each in (conversation(cited=False), half):
            found = Chat(model.config, model.services)(conversation=each)
            assert sorted(found) == ["evaluation_per_turn", "gpt_coherence", "gpt_fluency"]
    assert "citations" in caplog.text


def test_no_documents_found_is_graded_too(model: Judged) -> None:
    none = [conversation()[0], {"role": "assistant", "content": "yes", "context": {"citations": []}}]
    found = Chat(model.config, model.services)(conversation=none)
    assert found["gpt_retrieval"] == found["gpt_relevance"] == 2.0
    assert sum("DOCUMENTS: []" in request["messages"][1]["content"] for request in model.asked) == 1


def test_retrieval_knows_the_conversation_so_far(model: Judged) -> None:
    found = Retrieval(model.config, model.services)(conversation=conversation())
    assert found["evaluation_per_turn"]["gpt_retrieval"]["score"] == [2.0, 4.0]
    first, second = (request["messages"][1]["content"] for request in model.asked)
    assert "second?" not in first
    assert 'CONVERSATION: [{"user": "first?", "assistant": "yes"}, {"user": "second?", "assistant": "no"}]' in second


def test_a_reply_that_cannot_be_graded_does_not_cost_the_others(
    model: Judged, caplog: pytest.LogCaptureFixture
) -> None:
    empty = [*conversation()[:3], {**conversation()[3], "content": ""}]
    found = Chat(model.config, model.services)(conversation=empty)
    assert found["gpt_coherence"] == 2.0
    assert "'answer' must not be empty" in caplog.text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hello", "must be a list"),
        ([], "at least one"),
        (["hi"], "Message 1 of 'conversation' must be a dict, not a str"),
        ([{"role": "user"}], "Message 1 of 'conversation' has no 'content'"),
        ([{"content": "x"}], "Message 1 of 'conversation' has no 'role'"),
        ([{"role": "assistant", "content": "x"}], "must have the role 'user', not 'assistant'"),
        ([{"role": "user", "content": "x"}] * 2, "Message 2 of 'conversation' must have the role 'assistant'"),
        ([{"role": "user", "content": 1}], "content of message 1"),
        (conversation()[:3], "must end with a message of the assistant"),
        ([conversation()[0], {"role": "assistant", "content": "x", "context": "c"}], "context of message 2"),
        ([conversation()[0], {"role": "assistant", "content": "x", "context": {}}], "list 'citations'"),
        (
            [conversation()[0], {"role": "assistant", "content": "x", "context": {"citations": ["c"]}}],
            "citations of message 2",
        ),
    ],
)
def test_what_is_no_conversation_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        parse_conversation(value)
