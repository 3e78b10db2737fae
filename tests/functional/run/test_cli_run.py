"""``flowyard run``: data in, one record out, evaluation joined on line numbers, and single rows that are bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import (
    ASK_FLOW,
    ASK_TEMPLATE,
    ECHO_TOOL,
    PATIENCE_S,
    RULES,
    Project,
    ending,
    failed_numbers,
    one_node_flow,
    read_jsonl,
    start_flowyard,
)

PICKY_TOOL = """\
from promptflow.core import tool


@tool
def work(x: int):
    if x % 3 == 0:
        raise ValueError(f"{x} is divisible by three")
    return x * 10
"""
GRADE_FLOW = """\
inputs:
  expected: {type: int}
  given: {type: int}
outputs:
  right: {type: bool, reference: "${grade.output}"}
nodes:
- name: grade
  type: python
  source: {type: code, path: grade.py}
  inputs: {expected: "${inputs.expected}", given: "${inputs.given}"}
- name: sum
  type: python
  source: {type: code, path: sum.py}
  inputs: {grades: "${grade.output}"}
  aggregation: true
"""
GRADE_TOOL = "from promptflow.core import tool\n\n\n@tool\ndef grade(expected, given):\n    return expected == given\n"
SUM_TOOL = """\
from promptflow.core import log_metric, tool


@tool
def sum_up(grades: list):
    log_metric("lines", len(grades))
    log_metric("accuracy", sum(grades) / len(grades))
"""


def create(project: Project, *args: str | Path, code: int = 0) -> Any:
    return project.json("run", "create", *args, code=code)


@pytest.fixture
def picky(project: Project) -> str:
    """A flow that fails for 0, 3, 6 and 9 of ten rows."""
    project.jsonl("data.jsonl", [{"x": x, "want": 10 * x if x != 5 else -1} for x in range(10)])
    return project.flow("picky", one_node_flow({"x": "int"}), work_py=PICKY_TOOL)


@pytest.fixture
def grade(project: Project) -> str:
    return project.flow("grade", GRADE_FLOW, grade_py=GRADE_TOOL, sum_py=SUM_TOOL)


def test_the_record_of_a_run(project: Project):
    data = project.jsonl("data.jsonl", [{"x": f"row {n}"} for n in range(5)])
    run = create(project, "--flow", project.echo_flow(), "--data", data, "--name", "first")
    assert run["name"] == "first"
    assert run["status"] == "completed"
    assert run["lines"] == {"total": 5, "completed": 5, "failed": 0}
    assert run["metrics"] == {}
    assert Path(run["path"]).is_relative_to(project.home)
    assert run["outputs"] == str(Path(run["path"]) / "outputs.jsonl")
    assert read_jsonl(run["outputs"]) == [{"line_number": n, "out": f"row {n}"} for n in range(5)]


def test_what_tools_print_does_not_disturb_the_json(project: Project):
    tool = ECHO_TOOL.replace("@tool", "print('import')\n\n\n@tool").replace(
        "    return", "    print('line')\n    return"
    )
    flow = project.flow("f", one_node_flow({"x": "string"}), work_py=tool)
    create(project, "--flow", flow, "--data", project.jsonl("data.jsonl", [{"x": "1"}]))


def test_an_evaluation_covers_the_lines_that_its_base_completed(project: Project, picky: str, grade: str):
    base = create(project, "--flow", picky, "--data", "data.jsonl", "--name", "base", code=1)
    assert base["lines"] == {"total": 10, "completed": 6, "failed": 4}
    assert failed_numbers(project.lines(base)) == [0, 3, 6, 9]

    mapping = ["--column-mapping", "expected=${data.want}", "given=${run.outputs.out}"]
    evaluation = create(project, "--flow", grade, "--data", "data.jsonl", "--run", "base", *mapping)
    assert evaluation["lines"] == {"total": 6, "completed": 6, "failed": 0}
    assert evaluation["base_run"] == "base"
    assert evaluation["metrics"]["lines"] == 6
    assert evaluation["metrics"]["accuracy"] == pytest.approx(5 / 6)
    outputs = read_jsonl(evaluation["outputs"])
    assert outputs == [{"line_number": n, "right": n != 5} for n in (1, 2, 4, 5, 7, 8)]

    again = create(project, "--flow", grade, "--run", "base", *mapping[:1], "expected=${run.inputs.want}", mapping[2])
    assert read_jsonl(again["outputs"]) == outputs
    shown = project.json("run", "show-metrics", "--name", evaluation["name"])
    assert shown == evaluation["metrics"]


def test_outputs_are_ascending_whatever_order_lines_end_in(project: Project):
    tool = (
        "import time\n\nfrom promptflow.core import tool\n\n\n"
        "@tool\ndef work(x: int):\n    time.sleep(0.02 * (8 - x % 8))\n    return x\n"
    )
    flow = project.flow("f", one_node_flow({"x": "int"}), work_py=tool)
    data = project.jsonl("data.jsonl", [{"x": n} for n in range(16)])
    run = create(project, "--flow", flow, "--data", data, "--concurrency", "8")
    finished = [line["line_number"] for line in read_jsonl(Path(run["path"]) / "lines.jsonl")]
    assert finished != sorted(finished)
    assert read_jsonl(run["outputs"]) == [{"line_number": n, "out": n} for n in range(16)]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.csv", 'id,text\n1,"one, with comma"\n2,"two\nlines"\n3,Grüße\n'),
        ("data.tsv", 'id\ttext\n1\tone, with comma\n2\t"two\nlines"\n3\tGrüße\n'),
        (
            "data.jsonl",
            '{"id": 1, "text": "one, with comma"}\n\n{"id": 2, "text": "two\\nlines"}\n{"id": 3, "text": "Grüße"}',
        ),
        ("bom.csv", '\ufefftext,id\n"one, with comma",1\n"two\nlines",2\nGrüße,3\n'),
    ],
)
def test_data_files(project: Project, file: str, text: str):
    project.write(file, text)
    run = create(project, "--flow", project.echo_flow(), "--data", file, "--column-mapping", "x=${data.text}")
    assert [row["out"] for row in read_jsonl(run["outputs"])] == ["one, with comma", "two\nlines", "Grüße"]


def test_looking_at_runs(project: Project, picky: str):
    for name in ("one", "two"):
        create(project, "--flow", picky, "--data", "data.jsonl", "--name", name, code=1)
    assert [run["name"] for run in project.json("run", "list")] == ["two", "one"]
    assert len(project.json("run", "list", "--max-results", "1")) == 1
    assert project.json("run", "show", "--name", "one")["lines"] == {"total": 10, "completed": 6, "failed": 4}
    details = project.json("run", "show-details", "--name", "one")
    assert [line["line_number"] for line in details] == list(range(10))
    assert details[3]["error"]["type"] == "ValueError"
    assert details[3]["error"]["node"] == "work"
    assert details[3]["error"]["where"] == "work.py:7"
    assert details[4]["outputs"] == {"out": 40}
    for command in ("show", "show-details"):
        done = project.run("run", command, "--name", "one")
        assert "divisible by three" in done.stdout + done.stderr
    assert "one" in project.run("run", "list").stdout


def test_an_unknown_run_is_suggested(project: Project, picky: str):
    create(project, "--flow", picky, "--data", "data.jsonl", "--name", "triage_one", code=1)
    for command in ("show", "show-details", "show-metrics"):
        said = project.run("run", command, "--name", "triage_on", code=2).stderr
        assert "Did you mean 'triage_one'" in said


def test_a_name_is_given_once(project: Project, picky: str):
    first = create(project, "--flow", picky, "--data", "data.jsonl", "--name", "mine", code=1)
    before = {file: file.read_bytes() for file in Path(first["path"]).iterdir()}
    done = project.run("run", "create", "--flow", picky, "--data", "data.jsonl", "--name", "mine", code=2)
    assert "'mine' already exists" in done.stderr
    assert {file: file.read_bytes() for file in Path(first["path"]).iterdir()} == before
    assert len(project.json("run", "list")) == 1


def test_of_two_at_once_with_the_same_name_one_wins(project: Project):
    data = project.jsonl("data.jsonl", [{"x": str(n)} for n in range(20)])
    args = ["run", "create", "--flow", project.echo_flow(), "--data", data, "--name", "same", "--home", project.home]
    with ending(start_flowyard(*args, cwd=project.root)) as one, ending(start_flowyard(*args, cwd=project.root)) as two:
        assert sorted([one.wait(timeout=PATIENCE_S), two.wait(timeout=PATIENCE_S)]) == [0, 2]
    assert len(read_jsonl(project.json("run", "show", "--name", "same")["outputs"])) == 20


def test_names_are_made_when_none_is_given(project: Project):
    data = project.jsonl("data.jsonl", [{"x": "1"}])
    flow = project.echo_flow()
    names = {create(project, "--flow", flow, "--data", data)["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("echo_") for name in names)


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden"])
def test_a_name_stays_inside_the_home(project: Project, name: str):
    data = project.jsonl("data.jsonl", [{"x": "1"}])
    assert repr(name) in project.rejected("run", "create", "--flow", project.echo_flow(), "--data", data, "-n", name)
    assert [path.name for path in project.root.parent.iterdir()] == ["project"]


def test_tolerated_failures(project: Project, picky: str):
    args = ["--flow", picky, "--data", "data.jsonl", "--max-failed-lines"]
    create(project, *args, "4")
    create(project, *args, "3", code=1)


def test_a_row_that_is_not_json_is_one_failed_line(project: Project):
    rows = [json.dumps({"x": f"row {n}"}) for n in range(80)]
    rows[56] = '{"x": "cut of'
    project.write("data.jsonl", "\n".join(rows) + "\n")
    run = create(project, "--flow", project.echo_flow(), "--data", "data.jsonl", code=1)
    assert run["lines"] == {"total": 80, "completed": 79, "failed": 1}
    (failed,) = [line for line in project.lines(run) if line["status"] == "failed"]
    assert failed["line_number"] == 56
    assert failed["error"]["where"] == "data.jsonl:57"
    assert 57 in [row["line_number"] for row in read_jsonl(run["outputs"])]


def test_a_row_without_a_column_is_one_failed_line(project: Project):
    rows: list[dict[str, str]] = [{"x": f"row {n}"} for n in range(10)]
    rows[4] = {"y": "no x here"}
    run = create(project, "--flow", project.echo_flow(), "--data", project.jsonl("d.jsonl", rows), code=1)
    assert failed_numbers(project.lines(run)) == [4]
    message = project.lines(run)[4]["error"]["message"]
    assert "'x'" in message
    assert "row 4" in message


def test_a_csv_row_with_too_few_cells_is_one_failed_line(project: Project):
    project.write("data.csv", "x,y\na,1\nb\nc,3\nd,4,5\n")
    run = create(project, "--flow", project.echo_flow(), "--data", "data.csv", code=1)
    assert failed_numbers(project.lines(run)) == [1, 3]
    assert project.lines(run)[1]["error"]["where"] == "data.csv:3"
    assert [row["out"] for row in read_jsonl(run["outputs"])] == ["a", "c"]


def test_rows_that_are_no_objects(project: Project):
    bad = ["[1, 2]", '"text"', "null", "12", "\\x"]
    project.write("data.jsonl", "\n".join(['{"x": "1"}', *bad, '{"x": "3"}']))
    run = create(project, "--flow", project.echo_flow(), "--data", "data.jsonl", code=1)
    assert failed_numbers(project.lines(run)) == [1, 2, 3, 4, 5]


def test_a_value_that_does_not_fit_is_one_failed_line(project: Project, picky: str):
    data = project.jsonl("data2.jsonl", [{"x": 1}, {"x": "many"}, {"x": "2"}, {"x": None}])
    run = create(project, "--flow", picky, "--data", data, code=1)
    assert 1 in failed_numbers(project.lines(run))
    assert {"line_number": 2, "out": 20} in read_jsonl(run["outputs"])


def test_when_every_line_fails_nothing_is_aggregated(project: Project, grade: str):
    data = project.jsonl("bad.jsonl", [{"expected": "x", "given": "y"}] * 3)
    run = create(project, "--flow", grade, "--data", data, code=1)
    assert run["lines"] == {"total": 3, "completed": 0, "failed": 3}
    assert read_jsonl(run["outputs"]) == []


def test_looking_writes_nothing(project: Project):
    assert project.json("run", "list") == []
    assert not project.home.exists()


def test_another_connection_for_one_run(project: Project):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    data = project.jsonl("data.jsonl", [{"question": "What is the capital of Latvia?"}])
    rules = project.write("rules.yaml", RULES)
    env = {"other": json.dumps({"type": "simulated", "rules": str(rules)})}
    words = ["run", "create", "--flow", flow, "--data", data, "--connections"]
    said = project.rejected(*words, "aks.connection=other", "ask.conection=other")
    assert "'ask'" in said, "the node that is near"
    assert "'connection'" in said, "the key that is near"
    run = project.json(*words, "ask.connection=other", "ask.model=large", env=env)
    assert project.lines(run)[0]["outputs"] == {"answer": "The capital."}
