"""Wrong input: exit 2, one screen that says where and what to do, and nothing written."""

from __future__ import annotations

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, ECHO_TOOL, Project, one_node_flow

NODE = """\
- name: {name}
  type: python
  source: {{type: code, path: work.py}}
  inputs: {{x: "{x}"}}
"""


def dag(*nodes: tuple[str, str], output: str = "${a.output}") -> str:
    text = 'inputs:\n  question: {type: string}\noutputs:\n  out: {type: string, reference: "' + output + '"}\nnodes:\n'
    return text + "".join(NODE.format(name=name, x=x) for name, x in nodes)


CYCLE = dag(("a", "${b.output}"), ("b", "${c.output}"), ("c", "${a.output}"))
UNKNOWN_NODE = dag(("clean", "${inputs.question}"), ("b", "${claen.output}"), output="${b.output}")
UNKNOWN_INPUT = dag(("a", "${inputs.qestion}"))
UNKNOWN_OUTPUT = dag(("a", "${inputs.question}"), output="${b.output}")
MISSING_FILE = dag(("a", "${inputs.question}")).replace("work.py", "wrok.py")
SYNTAX = dag(("a", "${inputs.question}")).replace("nodes:", "nodes: [")
DUPLICATE = dag(("a", "${inputs.question}"), ("a", "${inputs.question}"))
MAPPING_ONLY = "- just\n- a list\n"

BROKEN_FLOWS = {
    "cycle": (CYCLE, ["circle", "a", "b", "c", "flow.dag.yaml:6"]),
    "unknown node": (UNKNOWN_NODE, ["claen", "Did you mean 'clean'", "flow.dag.yaml:10"]),
    "unknown input": (UNKNOWN_INPUT, ["qestion", "Did you mean 'question'", "flow.dag.yaml:6"]),
    "unknown node of an output": (UNKNOWN_OUTPUT, ["'out'", "'b'", "flow.dag.yaml:4"]),
    "missing file": (MISSING_FILE, ["wrok.py", "Did you mean 'work.py'", "flow.dag.yaml:8"]),
    "syntax": (SYNTAX, ["flow.dag.yaml:"]),
    "two nodes of one name": (DUPLICATE, ["'a'", "flow.dag.yaml:10"]),
    "no mapping": (MAPPING_ONLY, ["flow.dag.yaml"]),
}


@pytest.fixture
def data(project: Project) -> str:
    return project.jsonl("data.jsonl", [{"question": "why"}])


@pytest.mark.parametrize(("yaml", "said"), BROKEN_FLOWS.values(), ids=BROKEN_FLOWS.keys())
def test_broken_flows(project: Project, yaml: str, said: list[str]):
    shown = project.rejected("flow", "validate", "--flow", project.flow("broken", yaml, work_py=ECHO_TOOL))
    assert [word for word in said if word not in shown] == [], shown


def test_every_command_says_the_same_of_a_broken_flow(project: Project, data: str):
    flow = project.flow("broken", UNKNOWN_INPUT, work_py=ECHO_TOOL)
    said = project.rejected("flow", "validate", "--flow", flow)
    assert project.rejected("flow", "test", "--flow", flow, "--inputs", "question=x") == said
    assert project.rejected("run", "create", "--flow", flow, "--data", data) == said


def test_every_problem_of_a_flow_is_listed(project: Project):
    yaml = dag(("a", "${inputs.qestion}"), ("b", "${aa.output}"), output="${c.output}").replace("work.py", "wrok.py", 1)
    said = project.rejected("flow", "validate", "--flow", project.flow("broken", yaml, work_py=ECHO_TOOL))
    for problem in ("qestion", "'aa'", "'c'", "wrok.py"):
        assert problem in said
    places = {line.split("flow.dag.yaml:")[1].split(":")[0] for line in said.splitlines() if "flow.dag.yaml:" in line}
    assert places == {"4", "6", "8", "10"}, said


def test_code_that_cannot_be_imported(project: Project, data: str):
    cases = {
        "syntax": ("from promptflow.core import tool\n\ndef work(:\n", "work.py:3"),
        "package": ("import no_such_package_at_all\n", "no_such_package_at_all"),
        "error": ("raise RuntimeError('not today')\n", "work.py:1"),
        "no tool": ("def work(x):\n    return x\n", "@tool"),
    }
    for name, (tool, word) in cases.items():
        flow = project.flow(name, one_node_flow({"question": "string"}), work_py=tool)
        assert word in project.rejected("run", "create", "--flow", flow, "--data", data), name


def test_a_template_that_cannot_be_parsed(project: Project):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2="# user:\n{{ question }\n")
    said = project.rejected("flow", "test", "--flow", flow, "--inputs", "question=x", env={"MY_MODEL_API_KEY": "k"})
    assert "ask.jinja2:2" in said


def test_no_flow_there(project: Project, data: str):
    project.echo_flow("triage")
    assert "triag" in project.rejected("run", "create", "--flow", "triag", "--data", data)


def test_a_column_that_the_data_lacks(project: Project, data: str):
    flow = project.flow("f", dag(("a", "${inputs.question}")), work_py=ECHO_TOOL)
    said = project.rejected(
        "run", "create", "--flow", flow, "--data", data, "--column-mapping", "question=${data.qestion}"
    )
    assert "'question'" in said
    assert "Did you mean 'question'" in said


def test_a_mapping_from_nowhere(project: Project, data: str):
    flow = project.flow("f", dag(("a", "${inputs.question}")), work_py=ECHO_TOOL)
    create = ["run", "create", "--flow", flow, "--data", data, "--column-mapping"]
    assert "${data." in project.rejected(*create, "question=${date.question}")
    assert "--run" in project.rejected(*create, "question=${run.outputs.x}")
    assert "name=value" in project.rejected(*create, "question")


def test_missing_and_empty_data(project: Project, data: str):
    flow = project.flow("f", dag(("a", "${inputs.question}")), work_py=ECHO_TOOL)
    create = ["run", "create", "--flow", flow]
    assert "Did you mean 'data.jsonl'" in project.rejected(*create, "--data", "date.jsonl")
    assert "--data" in project.rejected(*create)
    project.write("empty.jsonl", "\n\n")
    assert "no rows" in project.rejected(*create, "--data", "empty.jsonl")
    project.write("empty.csv", "question\n")
    assert "no rows" in project.rejected(*create, "--data", "empty.csv")
    project.write("data.xlsx", "x")
    assert ".jsonl" in project.rejected(*create, "--data", "data.xlsx")


def test_unknown_base_run(project: Project, data: str):
    flow = project.flow("f", dag(("a", "${inputs.question}")), work_py=ECHO_TOOL)
    assert "'nothing'" in project.rejected("run", "create", "--flow", flow, "--data", data, "--run", "nothing")


def test_a_missing_connection(project: Project, data: str):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    for command in (
        ["run", "create", "--data", data],
        ["flow", "validate"],
        ["flow", "test", "--inputs", "question=x"],
    ):
        said = project.rejected(*command, "--flow", flow)
        for word in ("'ask'", "'my_model'", "MY_MODEL_API_KEY", "--simulate", "flow.dag.yaml:6"):
            assert word in said, said


def test_a_malformed_connection_does_not_show_its_value(project: Project, data: str):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    value = '{"type": "open_ai", "api_key": "sk-not-to-be-shown"'
    said = project.rejected("run", "create", "--flow", flow, "--data", data, env={"my_model": value})
    assert "my_model" in said
    assert "sk-not" not in said


def test_unknown_variants(project: Project):
    project.example()
    flow = "triage/flows/triage"
    words = ["flow", "test", "--flow", flow, "--inputs", "text=x", "--variant"]
    assert "Did you mean 'few_shot'" in project.rejected(*words, "${classify.few_shots}")
    assert "Did you mean 'classify'" in project.rejected(*words, "${clasify.few_shot}")
    assert "'few'" in project.rejected(*words, "few")
    said = project.rejected("experiment", "run", "triage", "--variants", "classify.few_shots")
    assert "few_shot" in said


def test_unknown_environment(project: Project):
    project.example()
    assert "'dev'" in project.rejected("experiment", "run", "triage", "--env", "dve")


EXPERIMENT_MISTAKES = {
    "unknown key": (("evaluators:", "evaluatros:"), ["evaluatros", "Did you mean 'evaluators'"]),
    "unknown key of a dataset": (("    source: data/tickets.jsonl", "    sorce: data/tickets.jsonl"), ["source"]),
    "no such data": (
        ("source: data/tickets.jsonl", "source: data/ticket.jsonl"),
        ["Did you mean 'data/tickets.jsonl'"],
    ),
    "no such flow": (("flow: flows/triage", "flow: flows/triag"), ["Did you mean 'flows/triage'"]),
    "no such column": (('text: "${data.text}"', 'text: "${data.txt}"'), ["txt", "Did you mean 'text'"]),
    "no such output": (("run.outputs.category", "run.outputs.categories"), ["Did you mean 'category'"]),
    "unknown dataset": (("      - name: tickets\n", "      - name: tickest\n"), ["Did you mean 'tickets'"]),
}


@pytest.mark.parametrize(("change", "said"), EXPERIMENT_MISTAKES.values(), ids=EXPERIMENT_MISTAKES.keys())
def test_mistakes_in_an_experiment(project: Project, change: tuple[str, str], said: list[str]):
    file = project.root / project.example() / "experiment.yaml"
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    errors = project.rejected("experiment", "run", "triage")
    assert "experiment.yaml:" in errors
    assert [word for word in said if word not in errors] == [], errors


def test_a_dry_run_finds_the_same_mistakes(project: Project):
    file = project.root / project.example() / "experiment.yaml"
    file.write_text(file.read_text().replace("data.text", "data.txt"))
    errors = project.rejected("experiment", "run", "triage")
    assert project.rejected("experiment", "run", "triage", "--dry-run") == errors


def test_a_bad_overlay(project: Project):
    project.example()
    project.write("triage/experiment.dev.yaml", "datasetts: []\n")
    said = project.rejected("experiment", "run", "triage", "--env", "dev")
    assert "experiment.dev.yaml:1" in said
    assert "Did you mean 'datasets'" in said


def test_a_mistake_in_the_last_evaluator_stops_the_first_run(project: Project):
    file = project.root / project.example() / "flows" / "evaluate" / "aggregate.py"
    file.write_text("import no_such_package_at_all\n")
    assert "no_such_package_at_all" in project.rejected("experiment", "run", "triage", "--env", "dev")


def test_files_named_by_options_must_exist(project: Project, data: str):
    flow = project.echo_flow()
    for option in ("--env-file", "--simulate"):
        said = project.rejected("run", "create", "--flow", flow, "--data", data, option, "absent")
        assert option in said
        assert "absent" in said


def test_unknown_commands_and_options(project: Project):
    assert "--dta" in project.rejected("run", "create", "--flow", "f", "--dta", "x")
    assert "No such command" in project.rejected("runs")
