from __future__ import annotations

import base64
import json
import math
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.simulation import Answer, Simulator, chunks, load_rules
from flowyard.simulation.wire import Choice, chat_body, completion_body


def _simulator(folder: Path, text: str, seed: int | None = None) -> Simulator:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return Simulator(load_rules(path, seed))


def _chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def _said(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.body["choices"][0]["message"]["content"])


def test_a_chat_body_is_complete(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, "rules: [{reply: 'Hello {{ match.who }}', when: {user: 'i am (?P<who>\\w+)'}}]")
    answer = simulator.answer("chat", _chat("I am Ada"))
    body = dict(answer.body)
    assert str(body.pop("id")).startswith("chatcmpl-simulated-")
    assert body == {
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "system_fingerprint": "simulated",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello Ada", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
    }
    assert answer.headers["x-flowyard-simulated"] == "true"


def test_the_first_rule_whose_expressions_all_match_answers(tmp_path: Path) -> None:
    simulator = _simulator(
        tmp_path,
        """
rules:
  - {reply: both, when: {system: judge, user: "a.c"}}
  - {reply: system, when: {system: judge}}
  - {reply: model, when: {model: "^gpt-4"}}
""",
    )
    judge = {"role": "system", "content": "You JUDGE."}
    parts = {"role": "user", "content": [{"type": "text", "text": "a\nc"}, {"type": "image_url", "image_url": {}}]}
    assert _said(simulator.answer("chat", {"messages": [judge, parts]})) == "both"
    assert _said(simulator.answer("chat", {"messages": [judge, {"role": "user", "content": "x"}]})) == "system"
    assert _said(simulator.answer("chat", {**_chat("x"), "model": "gpt-4o"})) == "model"
    refused = simulator.answer("chat", _chat("Where is it?"))
    assert refused.status == 400
    assert "No simulation rule matched" in refused.body["error"]["message"]
    assert "Where is it?" in refused.body["error"]["message"]
    assert simulator.stats() == {"calls": 4, "by_rule": {"rule 1": 1, "rule 2": 1, "rule 3": 1}, "faults": 0}
    simulator.reset_stats()
    assert simulator.stats() == {"calls": 0, "by_rule": {}, "faults": 0}


def test_known_rows_answer_with_their_error_rate(tmp_path: Path) -> None:
    rows = [{"text": f"ticket number {n}.", "kind": f"k{n}", "hard": n % 2 == 0} for n in range(2000)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    simulator = _simulator(
        tmp_path,
        """
answers: [{file: rows.jsonl, find: text}]
rules:
  - known: true
    reply: "{{ row.kind }}"
    wrong: [other, none]
    error_rate: "0.4 if row.hard else 0.05"
  - reply: unknown
""",
        seed=3,
    )
    said = [_said(simulator.answer("chat", _chat(f"Classify: {row['text']}"))) for row in rows]
    for hard, rate in ((True, 0.4), (False, 0.05)):
        wrong = sum(text != row["kind"] for row, text in zip(rows, said, strict=True) if row["hard"] is hard)
        assert abs(wrong - 1000 * rate) < 4 * math.sqrt(1000 * rate * (1 - rate))
    assert {"other", "none"} <= set(said)
    assert _said(simulator.answer("chat", _chat("something else"))) == "unknown"


_CHANCY = """
latency: {median_ms: 10, p95_ms: 40}
faults: {rate_429: 0.2, rate_500: 0.1, rate_cut_off: 0.1}
rules: [{name: r, reply: ["a {{ number }} {{ pick([1, 2, 3]) }}{{ pick([1, 2, 3]) }}", "b"], wrong: w, error_rate: 0.3}]
"""


def _outcome(simulator: Simulator, prompt: str) -> list[Any]:
    tries = []
    while True:
        answer = simulator.answer("chat", _chat(prompt))
        tries.append((answer.status, answer.cut_off, answer.latency_s, json.dumps(answer.body)))
        if answer.status == 200 and not answer.cut_off:
            return tries


def test_order_and_threads_change_nothing(tmp_path: Path) -> None:
    prompts = [f"prompt {n}" for n in range(300)]
    one_by_one = _simulator(tmp_path, _CHANCY)
    expected = {prompt: _outcome(one_by_one, prompt) for prompt in prompts}
    shuffled = random.Random(1).sample(prompts, len(prompts))
    other = _simulator(tmp_path, _CHANCY)
    with ThreadPoolExecutor(16) as pool:
        got = dict(zip(shuffled, pool.map(lambda prompt: _outcome(other, prompt), shuffled), strict=True))
    assert got == expected
    assert one_by_one.stats() == other.stats()
    assert one_by_one.stats()["faults"] > 50
    reseeded = _simulator(tmp_path, _CHANCY, seed=1)
    assert {prompt: _outcome(reseeded, prompt) for prompt in prompts} != expected
    again = {prompt: _outcome(one_by_one, prompt)[0] for prompt in prompts}
    assert again == {prompt: tries[-1] for prompt, tries in expected.items()}


def test_latency_has_the_given_median_and_tail(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, "latency: {median_ms: 20, p95_ms: 80}\nrules: [{reply: x}]")
    waits = sorted(simulator.answer("chat", _chat(str(n))).latency_s for n in range(2000))
    assert median(waits) == pytest.approx(0.020, rel=0.1)
    assert waits[1900] == pytest.approx(0.080, rel=0.2)
    constant = _simulator(tmp_path, "rules: [{reply: x, latency: {median_ms: 20}}]")
    assert constant.answer("chat", _chat("a")).latency_s == pytest.approx(0.020)
    assert _simulator(tmp_path, "rules: [{reply: x}]").answer("chat", _chat("a")).latency_s == 0.0


def test_a_fault_tells_when_to_come_back(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, "faults: {rate_429: 1, retry_after_s: 0.05}\nrules: [{reply: x}]")
    answer = simulator.answer("chat", _chat("a"))
    assert answer.status == 429
    assert answer.headers["retry-after"] == "0.05"
    assert answer.headers["retry-after-ms"] == "50"
    assert answer.body["error"]["code"] == "rate_limit_exceeded"


_TOOLS = """
rules:
  - tool_calls: [{name: get_weather, arguments: {city: "{{ match.city }}", days: 2, more: ["{{ model }}"]}}]
    when: {user: "weather in (?P<city>\\\\w+)"}
  - reply: "It is sunny."
"""


def test_tools_are_called_until_they_answered(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, _TOOLS)
    ask = _chat("The weather in Oslo?", tools=[{}])
    choice = simulator.answer("chat", ask).body["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    call = choice["message"]["tool_calls"][0]
    assert call["type"] == "function"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo", "days": 2, "more": ["m"]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    ask["messages"] += [choice["message"], result]
    assert _said(simulator.answer("chat", ask)) == "It is sunny."


def test_older_clients_get_a_function_call(tmp_path: Path) -> None:
    answer = _simulator(tmp_path, _TOOLS).answer("chat", _chat("weather in Rome", functions=[{"name": "get_weather"}]))
    choice = answer.body["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"]["name"] == "get_weather"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(answer) if chunk["choices"]]
    assert any("function_call" in delta for delta in deltas)


def test_choices_completions_and_token_counts(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, "rules: [{reply: '{{ number }}', tokens: {prompt: 120, completion: 20}}]")
    body = simulator.answer("chat", _chat("a", n=3)).body
    assert len({choice["message"]["content"] for choice in body["choices"]}) == 3
    assert body["usage"] == {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180}
    answer = simulator.answer("completion", {"model": "m", "prompt": ["a", "b"], "n": 2})
    assert answer.body["object"] == "text_completion"
    assert [choice["index"] for choice in answer.body["choices"]] == [0, 1, 2, 3]
    assert len({choice["text"] for choice in answer.body["choices"]}) == 4
    assert answer.body["usage"]["prompt_tokens"] == 240


def test_embeddings_are_unit_vectors_of_their_text(tmp_path: Path) -> None:
    simulator = _simulator(tmp_path, "rules: [{reply: x}]")
    body = simulator.answer("embedding", {"model": "e", "input": ["abcd", "b", "abcd"]}).body
    first, second, third = (item["embedding"] for item in body["data"])
    assert len(first) == 1536
    assert math.hypot(*first) == pytest.approx(1)
    assert first == third != second
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    asked = {"model": "e", "input": "abcd", "dimensions": 8, "encoding_format": "base64"}
    packed = simulator.answer("embedding", asked).body["data"][0]["embedding"]
    short = struct.unpack("<8f", base64.b64decode(packed))
    assert math.hypot(*short) == pytest.approx(1, abs=1e-5)
    assert short[0] / short[1] == pytest.approx(first[0] / first[1], rel=1e-4)
    assert simulator.answer("embedding", {"input": [1, 2, 3]}).status == 200


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat", {}),
        ("chat", {"messages": []}),
        ("chat", {"messages": ["x"]}),
        ("chat", {"messages": [{"role": "user", "content": "a"}], "n": 0}),
        ("completion", {"prompt": None}),
        ("completion", {"prompt": []}),
        ("embedding", {"input": []}),
        ("embedding", {"input": ""}),
        ("embedding", {"input": "a", "dimensions": -1}),
    ],
)
def test_malformed_requests_are_refused(tmp_path: Path, operation: Any, body: dict[str, Any]) -> None:
    answer = _simulator(tmp_path, "rules: [{reply: x}]").answer(operation, body)
    assert answer.status == 400
    assert answer.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "rule",
    [
        "{name: bad, reply: '{{ row.kind }}'}",
        "{name: bad, reply: '{{ pick([]) }}'}",
        "{name: bad, reply: '{{ 1 / 0 }}'}",
        "{name: bad, reply: x, wrong: y, error_rate: 'match.city'}",
        "{name: bad, reply: '{{ model.__class__.__mro__ }}'}",
    ],
)
def test_a_template_that_fails_names_its_rule(tmp_path: Path, rule: str) -> None:
    answer = _simulator(tmp_path, f"rules: [{rule}]").answer("chat", _chat("a"))
    assert answer.status == 400
    assert "'bad' failed" in answer.body["error"]["message"]


def test_text_with_lone_surrogates_is_answered(tmp_path: Path) -> None:
    assert _said(_simulator(tmp_path, "rules: [{reply: '{{ user }}'}]").answer("chat", _chat("\ud800"))) == "\ud800"


@given(st.text(), st.integers(1, 3))
def test_chunks_add_up_to_the_text(text: str, count: int) -> None:
    body = chat_body("k", "m", [Choice(text)] * count, (1, 2), legacy=False)
    parts = list(chunks(Answer(200, body)))
    for index in range(count):
        mine = [choice for part in parts for choice in part["choices"] if choice["index"] == index]
        assert "".join(choice["delta"].get("content", "") for choice in mine) == text
        assert mine[0]["delta"]["role"] == "assistant"
        assert mine[-1]["finish_reason"] == "stop"
    assert parts[-1]["choices"] == []
    assert parts[-1]["usage"]["total_tokens"] == 3
    whole = list(chunks(Answer(200, completion_body("k", "m", [text], (1, 2)))))
    assert "".join(choice["text"] for part in whole for choice in part["choices"]) == text


def test_a_cut_off_answer_has_no_end() -> None:
    body = chat_body("k", "m", [Choice("one two three four")], (1, 2), legacy=False)
    parts = list(chunks(Answer(200, body, cut_off=True)))
    assert parts
    assert all(choice["finish_reason"] is None for part in parts for choice in part["choices"])
    short = chat_body("k", "m", [Choice("")], (1, 2), legacy=False)
    assert not any(part["usage"] for part in chunks(Answer(200, short, cut_off=True)))
