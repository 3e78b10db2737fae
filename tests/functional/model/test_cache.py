"""Answers are paid for once: across runs, variants and evaluations, and only where that is wanted."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting_server import CountingServer, counting_server
from functional_helper import Project, read_jsonl

from flowyard.llm.cache.kept_file import KeptFile

LINES = 4
THREE = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${third.output}"}
nodes:
"""
NODE = """\
- name: %(name)s
  type: llm
  source: {type: code, path: %(file)s.jinja2}
  inputs: {model: small, given: "%(given)s"}
  connection: my_model
  api: chat
%(more)s"""
PROMPT = "# system:\n%s\n# user:\n{{ given }}\n"
JUDGE = """\
inputs:
  answer: {type: string}
outputs:
  grade: {type: string, reference: "${judge.output}"}
nodes:
- name: judge
  type: llm
  source: {type: code, path: judge.jinja2}
  inputs: {model: small, given: "${inputs.answer}"}
  connection: my_model
  api: chat
"""


def llm_node(name: str, given: str, more: str = "", file: str = "") -> str:
    return NODE % {"name": name, "given": given, "more": more, "file": file or name}


def three_prompts(project: Project, *, last: str = "Say it shorter.", of_second: str = "") -> None:
    nodes = llm_node("first", "${inputs.question}")
    nodes += llm_node("second", "${first.output}", of_second) + llm_node("third", "${second.output}")
    project.flow("three", THREE + nodes)
    for name, text in {"first": "Answer.", "second": "Check it.", "third": last}.items():
        project.write(f"three/{name}.jinja2", PROMPT % text)
    project.jsonl("data.jsonl", [{"question": f"What is {number}?"} for number in range(LINES)])


def run_it(project: Project, server: CountingServer, *more: str) -> dict[str, Any]:
    command = ("run", "create", "--flow", "three", "--data", "data.jsonl", *more)
    record: dict[str, Any] = project.json(*command, env=server.environment())
    return record


def outputs(record: dict[str, Any]) -> list[dict[str, Any]]:
    return read_jsonl(record["outputs"])


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def test_changing_the_last_of_three_prompts_asks_one_question_a_line(project: Project, server: CountingServer):
    three_prompts(project)
    first = run_it(project, server)
    assert server.calls == 3 * LINES
    assert first["usage"]["cached_calls"] == 0
    three_prompts(project, last="Say it longer.")
    second = run_it(project, server)
    assert server.calls == 4 * LINES
    assert second["usage"]["calls"] == LINES
    assert second["usage"]["cached_calls"] == 2 * LINES
    assert second["usage"]["prompt_tokens"] == 10 * LINES
    again = run_it(project, server, "--workers", "2")
    assert server.calls == 4 * LINES
    assert outputs(again) == outputs(second)
    assert again["usage"]["calls"] == again["usage"]["prompt_tokens"] == 0
    assert again["usage"]["cached_calls"] == 3 * LINES
    shown = project.run("run", "show", "-n", again["name"]).stdout
    assert f"Cache:     {3 * LINES} kept answers" in shown
    assert "Cache:" not in project.run("run", "show", "-n", first["name"]).stdout
    require_private(project.home / "cache")
    new = run_it(project, server, "--cache", "refresh")
    assert server.calls == 7 * LINES
    assert outputs(new) != outputs(again)
    run_it(project, server, "--no-cache")
    assert server.calls == 10 * LINES
    assert outputs(run_it(project, server)) == outputs(new)
    assert server.calls == 10 * LINES


def require_private(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "kept.sqlite").stat().st_mode) == 0o600
    for file in folder.iterdir():
        assert b"sk-counting-secret" not in file.read_bytes()


def test_equal_questions_stay_two_samples_inside_a_line_and_are_one_across_lines(
    project: Project, server: CountingServer
):
    nodes = llm_node("first", "${inputs.question}", file="same") + llm_node("third", "${inputs.question}", file="same")
    project.flow("three", THREE + nodes)
    project.write("three/same.jinja2", PROMPT % "Answer.")
    project.jsonl("data.jsonl", [{"question": "How?"}] * 5)
    for _ in range(2):
        record = run_it(project, server)
        assert server.calls == 2
        for line in project.lines(record):
            assert sorted(node["output"] for node in line["nodes"]) == ["answer 1", "answer 2"]
    assert record["usage"]["cached_calls"] == 10


def test_nodes_that_say_so_are_always_asked(project: Project, server: CountingServer):
    three_prompts(project, of_second="  enable_cache: false\n")
    project.write("run.yaml", "flow: three\ndata: data.jsonl\ncache: {off: [third]}\n")
    for calls in (3 * LINES, 5 * LINES):
        project.run("run", "create", "--file", "run.yaml", env=server.environment())
        assert server.calls == calls


def test_a_refused_call_is_not_kept(project: Project, server: CountingServer):
    three_prompts(project)
    server.refuse = "What is 2"
    project.json("run", "create", "--flow", "three", "--data", "data.jsonl", env=server.environment(), code=1)
    assert server.calls == 3 * (LINES - 1) + 1
    server.refuse = None
    run_it(project, server)
    assert server.calls == 3 * (LINES - 1) + 1 + 3


def test_whole_streams_are_kept(project: Project, server: CountingServer):
    project.write(
        "streamed/ask.prompty",
        "---\nname: ask\nmodel:\n  api: chat\n  configuration: {type: openai, connection: my_model, model: small}\n"
        "  parameters: {stream: true}\ninputs:\n  question: {type: string}\n---\nsystem:\nAnswer.\n\n"
        "user:\n{{question}}\n",
    )
    project.jsonl("data.jsonl", [{"question": "How?"}, {"question": "Why?"}])
    command = ("run", "create", "--flow", "streamed/ask.prompty", "--data", "data.jsonl")
    first = project.json(*command, env=server.environment())
    assert first["usage"]["calls"] == server.calls == 2
    second = project.json(*command, env=server.environment())
    assert server.calls == 2
    assert outputs(first) == outputs(second)
    assert second["usage"]["cached_calls"] == 2
    assert second["usage"]["calls"] == second["usage"]["completion_tokens"] == 0


def test_a_damaged_file_is_set_aside_and_the_run_goes_on(project: Project, server: CountingServer):
    three_prompts(project)
    file = project.home / "cache" / "kept.sqlite"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database" * 1000)
    done = project.run("run", "create", "--flow", "three", "--data", "data.jsonl", env=server.environment())
    assert "damaged" in done.stderr
    assert len(list(file.parent.glob("kept.damaged-*.sqlite"))) == 1
    assert project.json("cache", "show")["answers"] == 3 * LINES


def test_show_and_clear(project: Project):
    assert "Nothing is kept" in project.run("cache", "show").stdout
    assert project.json("cache", "clear", "-y")["deleted"] == 0
    file = KeptFile(project.home / "cache" / "kept.sqlite")
    for number in range(3):
        file.put(bytes([number]), b"value", "small")
    file.put(b"other", b"value", "large")
    file.close()
    assert {row["of"]: row["answers"] for row in project.json("cache", "show")["kept"]} == {"small": 3, "large": 1}
    assert "small" in project.run("cache", "show").stdout
    assert "-y" in project.run("cache", "clear", code=2).stderr
    assert project.json("cache", "clear", "-y", "--of", "small")["deleted"] == 3
    assert project.json("cache", "show")["answers"] == 1


def test_an_experiment_that_runs_again_asks_nothing_and_its_report_says_so(project: Project, server: CountingServer):
    three_prompts(project)
    project.flow("judge", JUDGE)
    project.write("judge/judge.jinja2", PROMPT % "Grade it.")
    project.write(
        "experiment.yaml",
        "name: kept\nflow: three\ndatasets:\n- name: few\n  source: data.jsonl\n"
        "  mappings: {question: '${data.question}'}\n"
        "evaluators:\n- name: judge\n  flow: judge\n  datasets:\n  - name: few\n"
        "    mappings: {answer: '${run.outputs.answer}'}\n"
        "cache: {mode: on, size: 10MB}\n",
    )
    command = ("experiment", "run", "experiment.yaml")
    first = project.run(*command, env=server.environment())
    assert "kept answer" not in first.stderr
    assert server.calls == 4 * LINES
    second = project.run(*command, env=server.environment())
    assert server.calls == 4 * LINES
    assert f"{3 * LINES} kept answers" in second.stderr
    page = max(project.home.rglob("report.html"), key=lambda file: file.parent.name)
    assert f"{4 * LINES} kept answers" in page.read_text("utf-8")


def test_wrong_settings_are_said_before_anything_runs(project: Project):
    three_prompts(project)
    command = ("run", "create", "--flow", "three", "--data", "data.jsonl")
    assert "100kB" in project.rejected(*command, "--cache-size", "many")
    assert "refresh" in project.rejected(*command, "--set", "cache=maybe")
    project.write("run.yaml", "flow: three\ndata: data.jsonl\ncache:\n  of: [second]\n")
    said = project.rejected("run", "create", "--file", "run.yaml")
    assert "run.yaml:3" in said
    assert "off" in said
    assert "exclude" in project.rejected(*command, "--record", "a.jsonl", "--replay", "b.jsonl")


COUNTED_TOOL = """\
from pathlib import Path
from promptflow.core import tool
from word import WORD


@tool
def work(x: str, count: str):
    with open(count, "a") as file:
        file.write("x")
    return {"said": x + WORD, "numbers": [1, 2.5, None]}
"""


def test_results_of_python_nodes_are_kept_when_they_ask(project: Project):
    yaml = 'inputs:\n  x: {type: string}\noutputs:\n  out: {type: object, reference: "${work.output}"}\nnodes:\n'
    yaml += "- name: work\n  type: python\n  source: {type: code, path: work.py}\n"
    count = project.root / "count"
    yaml += f"  inputs: {{x: '${{inputs.x}}', count: '{count}'}}\n"
    project.flow("counted", yaml, work_py=COUNTED_TOOL, word_py="WORD = '!'\n")
    project.jsonl("data.jsonl", [{"x": "a"}, {"x": "b"}])
    command = ("run", "create", "--flow", "counted", "--data", "data.jsonl")
    records: list[dict[str, Any]] = []

    def calls(*more: str) -> int:
        before = len(count.read_text()) if count.exists() else 0
        records.append(project.json(*command, *more))
        return len(count.read_text()) - before

    assert calls("--cache-nodes", "work") == 2
    assert calls("--cache-nodes", "work") == 0
    assert outputs(records[0]) == outputs(records[1])
    project.write("counted/word.py", "WORD = '?'\n")
    project.write("counted/flow.dag.yaml", yaml + "  enable_cache: true\n")
    assert calls() == 2
    assert outputs(records[-1])[0]["out"]["said"] == "a?"
