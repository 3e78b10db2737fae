"""``run.yaml`` and the options that go over it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from functional_helper import Project, one_node_flow, read_jsonl

SEE = """\
import os

from promptflow.core import tool


@tool
def work(x: str):
    return [x, os.environ.get("SEEN_A"), os.environ.get("SEEN_B")]
"""


HEAD = "flow: ../see\ndata: ../data.jsonl\n"


@pytest.fixture
def described(project: Project) -> Project:
    """A flow and its data in the folder above the one that holds run.yaml."""
    flow = one_node_flow({"x": "string"}) + "environment_variables: {SEEN_A: of the flow}\n"
    project.flow("see", flow, work_py=SEE)
    project.jsonl("data.jsonl", [{"q": "one", "r": "uno"}])
    project.write("runs/vars.env", "SEEN_A=from a file\nSEEN_B='with spaces'\n")
    project.write(
        "runs/run.yaml",
        """\
$schema: https://azuremlschemas.azureedge.net/promptflow/latest/Run.schema.json
name: described
display_name: ${variant_id} at ${timestamp}
description: from a file
tags: {kind: test, number: 3}
flow: ../see
data: ../data.jsonl
column_mapping: {x: "${data.q}"}
environment_variables: {SEEN_A: from the map}
""",
    )
    return project


def create(project: Project, *args: str, code: int = 0) -> Any:
    return project.json("run", "create", *args, code=code)


def output(run: Any) -> Any:
    return read_jsonl(run["outputs"])[0]["out"]


def test_a_described_run(described: Project):
    run = create(described, "-f", "runs/run.yaml")
    assert (run["name"], run["description"], run["tags"]) == (
        "described",
        "from a file",
        {"kind": "test", "number": "3"},
    )
    assert re.fullmatch(r"variant_0 at \d{12}", run["display_name"])
    assert output(run) == ["one", "from the map", None]


def test_what_is_given_goes_over_the_file(described: Project):
    described.jsonl("other.jsonl", [{"r": "dos"}])
    words = ["--data", "other.jsonl", "--column-mapping", "x=${data.r}", "--name", "given"]
    run = create(described, "-f", "runs/run.yaml", *words, "--set", "tags.kind=other", "display_name=mine")
    assert (run["name"], run["display_name"]) == ("given", "mine")
    assert run["tags"] == {"kind": "other", "number": "3"}
    assert output(run)[0] == "dos"


def test_a_given_path_may_also_be_beside_the_file(described: Project):
    described.jsonl("runs/beside.jsonl", [{"q": "beside"}])
    assert output(create(described, "-f", "runs/run.yaml", "--set", "data=beside.jsonl"))[0] == "beside"


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["--environment-variables", "SEEN_B=b"], ["of the flow", "b"]),
        (["--environment-variables", "SEEN_A=a", "SEEN_B='b c'"], ["a", "b c"]),
        (["--environment-variables", "runs/vars.env"], ["from a file", "with spaces"]),
        (["--environment-variables", "--stream"], ["nearest", None]),
        (["--environment-variables"], ["nearest", None]),
        (["--set", "environment_variables.SEEN_A=set"], ["set", None]),
    ],
)
def test_environment_variables(described: Project, words: list[str], seen: list[str | None]):
    described.write(".env", "SEEN_A=nearest\n")
    mapping = ["--column-mapping", "x=${data.q}"]
    described.run("run", "create", "--flow", "see", "--data", "data.jsonl", *mapping, "-n", "r", *_last(words))
    shown = described.json("run", "show", "-n", "r")
    assert output(shown)[1:] == seen


def _last(words: list[str]) -> list[str]:
    """The helper adds --home behind; a flag in between keeps the bare option bare."""
    return words if len(words) > 1 else [*words, "--concurrency", "2"]


def test_variables_from_a_file_that_run_yaml_names(described: Project):
    mapping = "column_mapping: {x: hi, y: '${data.q}'}"
    described.write("runs/run.yaml", f"{HEAD}{mapping}\nenvironment_variables: vars.env\n")
    assert output(create(described, "--file", "runs/run.yaml")) == ["hi", "from a file", "with spaces"]


def test_variables_end_with_their_run_and_are_stored_nowhere(described: Project):
    run = create(described, "-f", "runs/run.yaml", "--environment-variables", "SEEN_B=hidden value", "--set", "name=r")
    assert output(run)[2] == "hidden value"
    assert "hidden value" not in (described.home / "runs" / "r" / "run.json").read_text()
    flow = ["--flow", "see", "--data", "data.jsonl", "--column-mapping", "x=${data.q}"]
    assert output(create(described, *flow)) == ["one", "of the flow", None]


def test_keys_of_the_cloud_and_unknown_ones_are_warned_of(described: Project):
    keys = ["flow: ../see", "data: ../data.jsonl", "colum_mapping: {x: '${data.r}'}", "runtime: automatic"]
    keys += ["resources: {instance_type: big}", "column_mapping: {x: '${data.q}'}", "status: Completed", ""]
    described.write("runs/run.yaml", "\n".join(keys))
    said = described.run("run", "create", "-f", "runs/run.yaml").stderr
    assert "run.yaml:3: unknown key 'colum_mapping' is ignored. Did you mean 'column_mapping'?" in said
    assert "run.yaml:4: 'runtime' is for runs in the cloud" in said
    assert "run.yaml:5: 'resources' is for runs in the cloud" in said
    assert "'status'" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "does not describe a run"),
        ("", "does not describe a run"),
        ("data: x.jsonl", "There is no flow to run"),
        ("flow: ../see", "nothing to run over"),
        ("flow: ../see\ndata: [a]", "(bad.yaml:2)"),
        (
            "flow: ../see\ndata: ../data.jsonl\nenvironment_variables: [SECRET]",
            "'environment_variables' of the run is a list",
        ),
        ("flow: ../see\ndata: ../data.jsonl\nenvironment_variables: no.env", "no.env"),
        ("flow: ../see\ndata: ../data.jsonl\ninit: no.json", "no.json"),
        ("flow: ../see\ndata: ../data.jsonl\nconnections: {work: azure}", "connections.work is a str"),
        ("flow: ../see\ndata: ../missing.jsonl", "missing.jsonl"),
        ("flow: ../see\ndata: ../data.jsonl\nvariant: nonsense", "does not select a variant"),
        ("a: [", "Not valid YAML"),
    ],
)
def test_files_that_describe_no_run(described: Project, text: str, said: str):
    described.write("runs/bad.yaml", text)
    stderr = described.rejected("run", "create", "-f", "runs/bad.yaml")
    assert said in stderr
    assert "SECRET" not in stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "displayname=x"], "Did you mean 'display_name'"),
        (["--connections", "plain=x"], "node.key=value"),
        (["--environment-variables", "none.env"], "none.env"),
        (["--resume-from", "x"], "cannot be used with"),
    ],
)
def test_options_that_are_wrong(described: Project, words: list[str], said: str):
    assert said in described.rejected("run", "create", "-f", "runs/run.yaml", *words)


def test_the_base_run_is_named_in_the_display_name(described: Project):
    create(described, "-f", "runs/run.yaml")
    mapping = "column_mapping: {x: '${run.inputs.r}'}"
    described.write("runs/next.yaml", f"flow: ../see\nrun: described\n{mapping}\ndisplay_name: after ${{run}}\n")
    run = create(described, "-f", "runs/next.yaml")
    assert (run["display_name"], run["base_run"], output(run)[0]) == ("after described", "described", "uno")


WHO = """\
from promptflow.connections import CustomConnection
from promptflow.core import tool


@tool
def work(x: str, conn: CustomConnection):
    return conn.who
"""
CONNECTIONS = {
    name: json.dumps({"type": "custom", "configs": {"who": name}, "secrets": {"key": "s3cret-value"}})
    for name in ("first", "second")
}


def test_another_connection_for_one_run(project: Project):
    flow = project.flow("who", one_node_flow({"x": "string"}, connection="first"), work_py=WHO)
    words = ["run", "create", "--flow", flow, "--data", project.jsonl("data.jsonl", [{"x": "1"}])]
    assert output(project.json(*words, env=CONNECTIONS)) == "first"
    other = [*words, "--connections", "work.conn=second", "--name", "other"]
    assert output(project.json(*other, env=CONNECTIONS)) == "second"
    again = ["run", "create", "--resume-from", "other"]
    assert output(project.json(*again, env=CONNECTIONS)) == "second"
    described = project.write("run.yaml", "flow: who\ndata: data.jsonl\nconnections: {work: {conn: second}}\n")
    assert output(project.json("run", "create", "-f", described, env=CONNECTIONS)) == "second"
    wrong = project.run(*words, "--connections", "wrok.conn=second", env=CONNECTIONS, code=2)
    assert "Did you mean 'work'" in wrong.stderr
