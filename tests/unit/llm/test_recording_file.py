"""A recording on disk, and finding answers in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import ProviderError, UserError
from flowyard.llm.cache.answer_form import KeptAnswer
from flowyard.llm.call_place import CallPlace, LineCalls
from flowyard.llm.connection import AzureOpenAIConnection, CustomConnection, OpenAIConnection
from flowyard.llm.recording import RecordedConnections, RecordingRules, ReplayConnections
from flowyard.llm.recording.file import append_lines, read_recording, tidy_recording
from flowyard.llm.recording.recorded_call import Asked, RecordedCall
from flowyard.llm.recording.replay import open_recording
from flowyard.llm.sources import EnvironmentSource, YamlSource
from flowyard.records import ModelRequest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WRITER = """\
import sys
from pathlib import Path
from flowyard.llm.recording import RecordingRules
from flowyard.llm.recording.file import append_lines

rules = RecordingRules(Path(sys.argv[1]), "record", Path(sys.argv[2]))
for number in range(100):
    call = '{"node": "n%s", "line": %d, "operation": "chat", "model": "m", "request": {}, "answer": {"x": 1}}'
    append_lines(rules, [call % (sys.argv[3], number)])
"""


def rules_in(folder: Path) -> RecordingRules:
    return RecordingRules(folder / "calls.jsonl", "record", folder / "lock" / "calls.lock")


def call_of(text: str, answer: str = "yes", *, node: str = "ask", line: int = 0, number: int = 0) -> RecordedCall:
    request = ModelRequest("chat", "small", {"messages": [{"role": "user", "content": text}]})
    return RecordedCall(Asked.by(request, [], streamed=False), KeptAnswer({"said": answer}), node, line, number)


def written(folder: Path, *calls: RecordedCall) -> RecordingRules:
    rules = rules_in(folder)
    append_lines(rules, [json.dumps(call.to_json()) for call in calls])
    return rules


def place(node: str = "ask", line: int = 0) -> CallPlace:
    return CallPlace(LineCalls(line), (node,))


@given(request=st.dictionaries(st.text(), json_values, max_size=3), body=st.dictionaries(st.text(), json_values))
def test_a_call_is_read_as_it_was_written(request: dict[str, object], body: dict[str, object]):
    asked = Asked.by(ModelRequest("chat", "m", request, headers={"X-A": "b"}), [], streamed=False)
    call = RecordedCall(asked, KeptAnswer(body, simulated=True), "node", 3, 1)
    again = RecordedCall.from_json(json.loads(json.dumps(call.to_json())))
    assert again == call
    assert again.asked.key == asked.key


def test_secrets_are_hidden_and_a_replay_finds_the_call_without_them():
    request = ModelRequest("chat", "m", {"messages": "the key is sk-12345"}, headers={"X-A": "sk-12345"})
    recorded = Asked.by(request, ["sk-12345"], streamed=False)
    assert "sk-12345" not in json.dumps(recorded.to_json())
    other = ModelRequest("chat", "m", {"messages": "the key is no-key"}, headers={"x-a": "no-key"})
    assert Asked.by(other, ["no-key"], streamed=False).key == recorded.key


def test_eight_processes_append_at_once(tmp_path: Path):
    rules = rules_in(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(rules.file), str(rules.lock), str(own)], env=environment)
        for own in range(8)
    ]
    for writer in started:
        assert writer.wait(timeout=120) == 0
    assert len(read_recording(rules.file).calls) == 800
    tidy_recording(rules)
    lines = rules.file.read_text().splitlines()
    assert [json.loads(line)["node"] for line in lines] == [f"n{own}" for own in range(8) for _ in range(100)]


def test_half_a_line_is_no_call_and_gives_way(tmp_path: Path):
    rules = written(tmp_path, call_of("one"))
    with rules.file.open("a") as file:
        file.write('{"node": "ask", "line": 1, "oper')
    assert len(read_recording(rules.file).calls) == 1
    append_lines(rules, [json.dumps(call_of("two", line=1).to_json())])
    assert len(read_recording(rules.file).calls) == 2
    assert len(rules.file.read_text().splitlines()) == 2


def test_a_last_line_without_an_end_is_a_call(tmp_path: Path):
    rules = written(tmp_path, call_of("one"))
    rules.file.write_text(rules.file.read_text().rstrip("\n"))
    append_lines(rules, [json.dumps(call_of("two", line=1).to_json())])
    assert len(read_recording(rules.file).calls) == 2


def test_a_line_that_is_no_call_is_named(tmp_path: Path):
    rules = written(tmp_path, call_of("one"))
    with rules.file.open("a") as file:
        file.write("<<<<<<< ours\n")
    with pytest.raises(UserError) as caught:
        read_recording(rules.file)
    assert caught.value.where == "calls.jsonl:2"


def test_of_the_same_call_the_last_is_kept_and_order_does_not_matter(tmp_path: Path):
    rules = written(tmp_path, call_of("one", "old"), call_of("b", line=2), call_of("a", line=1), call_of("one", "new"))
    tidy_recording(rules)
    tidied = rules.file.read_text()
    assert "old" not in tidied
    rules.file.unlink()
    written(tmp_path, call_of("a", line=1), call_of("one", "new"), call_of("b", line=2))
    tidy_recording(rules)
    assert rules.file.read_text() == tidied


def test_the_call_of_the_same_place_comes_first(tmp_path: Path):
    calls = [call_of("q", f"{node} {line}", node=node, line=line) for node in ("ask", "other") for line in (0, 1)]
    replay = open_recording(written(tmp_path, *calls).file)
    asked = calls[0].asked
    for node, line in (("ask", 0), ("ask", 1), ("other", 1)):
        found = replay.find(asked, place(node, line), 0).answer.body
        assert found == {"said": f"{node} {line}"}
    assert replay.find(asked, place("renamed", 7), 0).answer.body == {"said": "ask 0"}


def test_a_missing_call_says_what_is_nearest(tmp_path: Path):
    calls = [call_of("What is the capital of France?", node="ask"), call_of("Say hello.", node="ask", line=1)]
    replay = open_recording(written(tmp_path, *calls).file)
    with pytest.raises(ProviderError) as caught:
        replay.find(call_of("What is the capital of Spain?").asked, place(line=4), 0)
    message = caught.value.message
    assert "model 'small' by node 'ask' for line 4" in message
    assert "messages[0].content was" in message
    assert "France?" in message
    assert "Spain?" in message
    assert "--record" in str(caught.value.hint)
    assert not caught.value.retryable
    with pytest.raises(ProviderError, match="recorded 1 time, and now comes again"):
        replay.find(calls[0].asked, place(), 1)
    (tmp_path / "empty").mkdir()
    nothing = open_recording(written(tmp_path / "empty").file)
    with pytest.raises(ProviderError, match="Nothing is recorded"):
        nothing.find(calls[0].asked, place(), 0)


def test_a_file_that_was_edited_by_hand_answers(tmp_path: Path):
    rules = written(tmp_path, call_of("one"))
    data = json.loads(rules.file.read_text())
    data["request"] = dict(reversed({"temperature": 0, **data["request"]}.items()))
    rules.file.write_text(json.dumps(dict(reversed(data.items()))))
    request = {"temperature": 0, **call_of("one").asked.request}
    asked = Asked.by(ModelRequest("chat", "small", request), [], streamed=False)
    assert open_recording(rules.file).find(asked, place(), 0).answer.body == {"said": "yes"}


def test_a_connection_file_without_its_secret_says_the_type(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntype: azure_open_ai\napi_key: ${env:NOT_SET}\napi_base: x\n")
    connections = ReplayConnections([RecordedConnections({}), YamlSource([tmp_path / "mine.yaml"], {})])
    assert isinstance(connections.get("mine", needed_by="n"), AzureOpenAIConnection)


def test_connections_of_a_replay():
    recorded = RecordedConnections({"azure": "azure_open_ai", "mine": "custom"})
    real = EnvironmentSource({"REAL_API_KEY": "sk-real"})
    connections = ReplayConnections([recorded, real])
    azure = connections.get("azure", needed_by="n")
    assert isinstance(azure, AzureOpenAIConnection)
    assert not azure.missing_fields()
    assert connections.get("mine", needed_by="n").is_model
    assert connections.get("real", needed_by="n").api_key == "sk-real"
    assert isinstance(connections.get("unknown", needed_by="n"), OpenAIConnection)
    assert isinstance(connections.get("other", needed_by="n", kinds=[CustomConnection]), CustomConnection)
