"""Answers are paid for once: across runs, variants and evaluations, and only where that is wanted."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting_server import CountingServer, counting_server
from functional_helper import ECHO_TOOL, Project, read_jsonl

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
    again = run_it(project, server)
    assert server.calls == 4 * LINES
    assert outputs(again) == outputs(second)
    assert again["usage"]["calls"] == again["usage"]["prompt_tokens"] == 0
    assert again["usage"]["cached_calls"] == 3 * LINES
    shown = project.run("run", "show", "-n", again["name"]).stdout
    assert f"Cache:     {3 * LINES} kept answers" in shown
    assert "Cache:" not in project.run("run", "show", "-n", first["name"]).stdout


def test_an_evaluator_that_runs_again_asks_nothing(project: Project, server: CountingServer):
    three_prompts(project)
    base = run_it(project, server)
    project.flow("judge", JUDGE)
    project.write("judge/judge.jinja2", PROMPT % "Grade it.")
    judge = ("run", "create", "--flow", "judge", "--run", base["name"])
    mapping = ("--column-mapping", "answer=${run.outputs.answer}")
    first = project.json(*judge, *mapping, env=server.environment())
    assert server.calls == 4 * LINES
    second = project.json(*judge, *mapping, env=server.environment())
    assert server.calls == 4 * LINES
    assert outputs(first) == outputs(second)


def test_equal_questions_inside_a_line_stay_two_samples(project: Project, server: CountingServer):
    nodes = llm_node("first", "${inputs.question}", file="same") + llm_node("third", "${inputs.question}", file="same")
    project.flow("three", THREE + nodes)
    project.write("three/same.jinja2", PROMPT % "Answer.")
    project.jsonl("data.jsonl", [{"question": "How?"}])
    samples = [node["output"] for node in project.lines(run_it(project, server))[0]["nodes"]]
    assert server.calls == 2
    assert len(set(samples)) == 2
    again = [node["output"] for node in project.lines(run_it(project, server))[0]["nodes"]]
    assert server.calls == 2
    assert sorted(again) == sorted(samples)


def test_equal_questions_of_different_lines_are_one(project: Project, server: CountingServer):
    three_prompts(project)
    project.jsonl("data.jsonl", [{"question": "How?"}] * 5)
    record = run_it(project, server)
    assert server.calls == 3
    assert record["usage"]["calls"] == 3
    assert record["usage"]["cached_calls"] == 12


def test_off_asks_and_keeps_nothing_and_refresh_keeps_the_new_answer(project: Project, server: CountingServer):
    three_prompts(project)
    run_it(project, server, "--no-cache")
    assert not (project.home / "cache").exists()
    old = run_it(project, server)
    assert server.calls == 6 * LINES
    new = run_it(project, server, "--cache", "refresh")
    assert server.calls == 9 * LINES
    assert outputs(new) != outputs(old)
    assert outputs(run_it(project, server)) == outputs(new)
    assert server.calls == 9 * LINES


@pytest.mark.parametrize("where", ["flow", "run.yaml", "set"])
def test_a_node_that_says_so_is_always_asked(project: Project, server: CountingServer, where: str):
    three_prompts(project, of_second="  enable_cache: false\n" if where == "flow" else "")
    command: tuple[str, ...] = ("run", "create", "--flow", "three", "--data", "data.jsonl")
    if where == "run.yaml":
        project.write("run.yaml", "flow: three\ndata: data.jsonl\ncache: {off: [second]}\n")
        command = ("run", "create", "--file", "run.yaml")
    elif where == "set":
        command = (*command, "--set", "cache.off=second")
    for calls in (3 * LINES, 5 * LINES):  # the third node reads what the second says anew
        project.run(*command, env=server.environment())
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
    assert server.calls == 3 * LINES
    run_it(project, server)
    assert server.calls == 3 * LINES


def test_values_that_do_not_match_their_checksum_are_asked_for_again(project: Project, server: CountingServer):
    three_prompts(project)
    run_it(project, server)
    file = project.home / "cache" / "kept.sqlite"
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE kept_1 SET value = substr(value, 1, length(value) / 2)")
    connection.close()
    run_it(project, server)
    assert server.calls == 6 * LINES


def test_the_file_is_private_and_holds_no_key(project: Project, server: CountingServer):
    three_prompts(project)
    run_it(project, server)
    folder = project.home / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert b"sk-counting-secret" not in file.read_bytes()
    assert stat.S_IMODE((folder / "kept.sqlite").stat().st_mode) == 0o600


def test_show_and_clear(project: Project, server: CountingServer):
    assert "Nothing is kept" in project.run("cache", "show").stdout
    assert project.json("cache", "clear", "-y")["deleted"] == 0
    three_prompts(project)
    run_it(project, server)
    shown = project.json("cache", "show")
    assert shown["answers"] == 3 * LINES
    assert [row["of"] for row in shown["kept"]] == ["small"]
    assert "small" in project.run("cache", "show").stdout
    assert "-y" in project.run("cache", "clear", code=2).stderr
    assert project.json("cache", "clear", "-y", "--of", "large")["deleted"] == 0
    assert project.json("cache", "clear", "-y", "--of", "small")["deleted"] == 3 * LINES
    assert project.json("cache", "show")["answers"] == 0


def test_an_experiment_keeps_answers_and_its_report_says_so(project: Project, server: CountingServer):
    three_prompts(project)
    project.flow("judge", JUDGE)
    project.write("judge/judge.jinja2", PROMPT % "Grade it.")
    project.write(
        "experiment.yaml",
        "name: kept\nflow: three\ndatasets:\n- name: few\n  source: data.jsonl\n"
        "  mappings: {question: '${data.question}'}\n"
        "evaluators:\n- name: judge\n  flow: judge\n  datasets:\n  - name: few\n"
        "    mappings: {answer: '${run.outputs.answer}'}\n",
    )
    command = ("experiment", "run", "experiment.yaml")
    first = project.run(*command, env=server.environment())
    assert "kept answer" not in first.stderr
    calls = server.calls
    assert calls == 4 * LINES
    second = project.run(*command, env=server.environment())
    assert server.calls == calls
    assert f"{3 * LINES} kept answers" in second.stderr
    page = max(project.home.rglob("report.html"), key=lambda file: file.stat().st_mtime_ns)
    assert f"{4 * LINES} kept answers" in page.read_text("utf-8")
    project.write("experiment.yaml", (project.root / "experiment.yaml").read_text() + "cache: off\n")
    project.run(*command, env=server.environment())
    assert server.calls == 2 * calls


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

    def runs(*more: str) -> int:
        before = len(count.read_text()) if count.exists() else 0
        records.append(project.json(*command, *more))
        return len(count.read_text()) - before

    records: list[dict[str, Any]] = []
    assert runs() == 2
    assert runs() == 2, "a node that does not ask is run"
    assert runs("--cache-nodes", "work") == 2
    assert runs("--cache-nodes", "work") == 0
    assert all(outputs(record) == outputs(records[0]) for record in records)
    assert runs("--cache-nodes", "work", "--no-cache") == 2
    project.write("counted/word.py", "WORD = '?'\n")
    assert runs("--cache-nodes", "work") == 2
    project.write("counted/flow.dag.yaml", yaml + "  enable_cache: true\n")
    assert runs() == 0
    assert outputs(records[-1])[0]["out"]["said"] == "a?"
    done = project.run(*command, "--cache-nodes", "wrk")
    assert "'work'" in done.stderr


def test_a_node_that_gives_more_than_json_is_run_each_time(project: Project):
    project.flow(
        "tuple",
        'inputs:\n  x: {type: string}\noutputs:\n  out: {type: object, reference: "${work.output}"}\nnodes:\n'
        "- name: work\n  type: python\n  source: {type: code, path: work.py}\n  inputs: {x: '${inputs.x}'}\n"
        "  enable_cache: true\n",
        work_py=ECHO_TOOL.replace("return x", "return (x, 1)"),
    )
    project.jsonl("data.jsonl", [{"x": "a"}])
    for _ in range(2):
        record = project.json("run", "create", "--flow", "tuple", "--data", "data.jsonl")
        assert json.loads(Path(record["outputs"]).read_text())["out"] == ["a", 1]
    assert project.json("cache", "show")["answers"] == 0
