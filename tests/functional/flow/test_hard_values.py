"""What flows return and raise that is hard to store, show or hide."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from functional_helper import (
    ECHO_TOOL,
    PATIENCE_S,
    Project,
    all_text,
    ending,
    one_node_flow,
    read_jsonl,
    start_flowyard,
)

TOOL = "from promptflow.core import tool\n{imports}\n\n@tool\ndef work({parameters}):\n{body}\n"


def tool(body: str, parameters: str = "x: str", imports: str = "") -> str:
    return TOOL.format(
        imports=imports, parameters=parameters, body="".join(f"    {line}\n" for line in body.splitlines())
    )


def run_over(project: Project, code: str, rows: int = 2, *more: str, code_wanted: int = 0) -> dict:
    flow = project.flow("hard", one_node_flow({"x": "string"}), work_py=code)
    data = project.jsonl("data.jsonl", [{"x": str(number)} for number in range(rows)])
    return project.json("run", "create", "--flow", flow, "--data", data, *more, code=code_wanted)


def test_an_output_called_line_number_does_not_renumber_lines(project: Project):
    yaml = one_node_flow({"x": "string"}, {"line_number": "${work.output}"})
    flow = project.flow("hard", yaml, work_py=tool("return 99"))
    data = project.jsonl("data.jsonl", [{"x": "a"}, {"x": "b"}])
    run = project.json("run", "create", "--flow", flow, "--data", data)
    assert [row["line_number"] for row in read_jsonl(Path(run["path"]) / "outputs.jsonl")] == [0, 1]


@pytest.mark.parametrize(
    "body",
    ["return {(1, 2): 'a tuple as a key'}", "loop = []\nloop.append(loop)\nreturn loop"],
    ids=["tuple key", "circle"],
)
def test_what_json_cannot_say_fails_its_line_only(project: Project, body: str):
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    run = run_over(project, tool(f"if x == '0':\n{indented}\nreturn x"), code_wanted=1)
    first, second = project.lines(run)
    assert first["error"]["type"] == "OutputUnstorable"
    assert second["outputs"] == {"out": "1"}


@pytest.mark.parametrize("raised", ["SystemExit(3)", "BaseException('odd')"])
def test_a_generator_may_raise_anything(project: Project, raised: str):
    run = run_over(project, tool(f"yield 'a'\nif x == '0':\n    raise {raised}\nyield 'b'"), code_wanted=1)
    first, second = project.lines(run)
    assert first["error"]["node"] == "work"
    assert second["outputs"] == {"out": "ab"}


def test_a_secret_that_a_flow_returns_is_not_stored(project: Project):
    body = "if x == '0':\n    raise ValueError(dict(conn))\nreturn {'all': dict(conn), 'quoted': repr(conn.token)}"
    code = tool(body, "x: str, conn: CustomConnection", "from promptflow.connections import CustomConnection")
    flow = project.flow("hard", one_node_flow({"x": "string"}, connection="mine"), work_py=code)
    data = project.jsonl("data.jsonl", [{"x": "0"}, {"x": "1"}])
    secret = "se'cr\"et-of-the-house"
    connection = json.dumps({"type": "custom", "configs": {}, "secrets": {"token": secret}})
    done = project.run("run", "create", "--flow", flow, "--data", data, code=1, env={"mine": connection})
    for text in (all_text(project.home), done.stdout, done.stderr):
        assert "of-the-house" not in text


def test_numbers_that_json_has_not_are_printed_as_null(project: Project):
    yaml = one_node_flow({"x": "string"}) + (
        "- name: grade\n  type: python\n  aggregation: true\n  source: {type: code, path: grade.py}\n"
        "  inputs: {values: '${work.output}'}\n"
    )
    grade = tool("log_metric('m', float('nan'))", "values", "from promptflow.core import log_metric")
    flow = project.flow("hard", yaml, work_py=ECHO_TOOL, grade_py=grade.replace("def work", "def grade"))
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    done = project.run("run", "create", "--flow", flow, "--data", data, "--json")
    assert json.loads(done.stdout, parse_constant=pytest.fail)["metrics"] == {"m": None}


def test_two_flows_with_modules_of_the_same_name(project: Project):
    for name in ("first", "second"):
        code = tool("return names.NAME", imports="import names")
        project.flow(name, one_node_flow({"x": "string"}), work_py=code, names_py=f"NAME = {name!r}\n")
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    for name in ("first", "second"):
        run = project.json("run", "create", "--flow", name, "--data", data)
        assert project.lines(run)[0]["outputs"] == {"out": name}


def test_a_value_after_an_equals_sign_is_spread_too(project: Project):
    flow = project.flow("pair", one_node_flow({"x": "string", "y": "string"}), work_py=tool("return x + y", "x, y"))
    shown = project.json("flow", "test", "--flow", flow, "--inputs=x=a", "y=b")
    assert shown == {"out": "ab"}


def test_one_node_needs_only_its_own_connection(project: Project):
    yaml = one_node_flow({"x": "string"}) + (
        "- name: other\n  type: python\n  source: {type: code, path: other.py}\n"
        "  inputs: {x: '${inputs.x}', conn: nobody_has_it}\n"
    )
    other = tool("return x", "x: str, conn: CustomConnection", "from promptflow.connections import CustomConnection")
    flow = project.flow("two", yaml, work_py=ECHO_TOOL, other_py=other)
    assert project.json("flow", "test", "--flow", flow, "--node", "work", "--inputs", "x=a") == "a"
    assert "nobody_has_it" in project.rejected("flow", "test", "--flow", flow, "--inputs", "x=a")


def test_sigterm_ends_a_run_as_cleanly_as_ctrl_c(project: Project):
    flow = project.flow(
        "slow", one_node_flow({"x": "string"}), work_py=tool("time.sleep(0.2)\nreturn x", imports="import time")
    )
    data = project.jsonl("data.jsonl", [{"x": str(number)} for number in range(400)])
    words = ["run", "create", "--flow", flow, "--data", data, "--name", "r", "--concurrency", "4"]
    with ending(start_flowyard(*words, "--home", project.home, cwd=project.root)) as process:
        lines = project.home / "runs" / "r" / "lines.jsonl"
        while not (lines.exists() and lines.read_text("utf-8").count("\n") > 4):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 130
    run = project.json("run", "show", "--name", "r")
    assert run["status"] == "canceled"
    assert 0 < run["lines"]["completed"] < 400


@pytest.mark.parametrize("value", ["${data.x", "${data}", "${nowhere.x}"])
def test_a_malformed_mapping_is_said_before_anything_runs(project: Project, value: str):
    flow = project.echo_flow()
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    words = ["run", "create", "--flow", flow, "--data", data, "--column-mapping", f"x={value}"]
    assert value in project.rejected(*words)
