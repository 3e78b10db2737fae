"""``flowyard experiment show``: what an overlay comes to, where each value is from, and what surprises people."""

from __future__ import annotations

from typing import Any

import pytest
from functional_helper import ECHO_TOOL, Project, one_node_flow

BASE = """\
name: overlaid
flow: main
connections:
- {name: aoai, connection_type: AzureOpenAI, api_key: sk-very-secret, api_base: "https://a.example"}
- {name: mine, connection_type: Custom, secrets: {pass: "${pass}"}, configs: {place: here}}
datasets:
- {name: train, source: train.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- name: grade
  flow: grade
  datasets:
  - {name: train, mappings: {y: "${run.outputs.out}"}}
parameters:
  work.x: ["${inputs.x}"]
"""


@pytest.fixture
def overlaid(project: Project) -> Project:
    project.flow("main", one_node_flow({"x": "string"}), work_py=ECHO_TOOL)
    project.flow("flows/other", one_node_flow({"x": "string"}), work_py=ECHO_TOOL)
    project.flow("grade", one_node_flow({"y": "string"}), work_py=ECHO_TOOL.replace("x", "y"))
    for name in ("train", "test"):
        project.jsonl(f"{name}.jsonl", [{"x": "a", "style": "b"}])
    project.write("experiment.yaml", BASE)
    return project


def shown(project: Project, overlay: str, code: int = 0) -> Any:
    project.write("experiment.dev.yaml", overlay)
    return project.json("experiment", "show", ".", "--env", "dev", code=code)


def origins(result: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    return {each["key"]: (each["value"], each["where"]) for each in result["origins"]}


def test_every_value_has_its_file_and_line(overlaid: Project) -> None:
    result = shown(overlaid, 'parameters: {work.x: [one, "${inputs.x}"]}\nsearch:\n  seed: 4\n')
    found = origins(result)
    assert found["name"] == ("overlaid", "experiment.yaml:1")
    assert found["datasets[0].source"] == ("train.jsonl", "experiment.yaml:7")
    assert found["parameters.work.x[0]"] == ("one", "experiment.dev.yaml:1")
    assert found["search.seed"] == (4, "experiment.dev.yaml:3")
    assert result["experiment"]["parameters"] == {"work.x": ["one", "${inputs.x}"]}
    assert result["warnings"] == []
    plan = overlaid.json("experiment", "run", ".", "--env", "dev", "--dry-run")
    assert [run["parameters"] for run in plan["runs"]] == [{"work.x": "one"}, {"work.x": "${inputs.x}"}]


def test_secrets_are_not_shown_and_placeholders_are(overlaid: Project) -> None:
    found = origins(shown(overlaid, ""))
    assert found["connections[0].api_key"][0] == "******"
    assert found["connections[0].api_base"][0] == "https://a.example"
    assert found["connections[1].secrets.pass"][0] == "${pass}"
    done = overlaid.run("experiment", "show", ".")
    assert "sk-very-secret" not in done.stdout + done.stderr


def test_defect_39_name_and_flow_of_an_overlay_are_ignored_with_a_warning(overlaid: Project) -> None:
    result = shown(overlaid, "name: other\nflow: flows/other\n")
    assert result["name"] == "overlaid"
    assert origins(result)["flow"] == ("main", "experiment.yaml:2")
    assert [warning.split(": ")[0] for warning in result["warnings"]] == [
        "experiment.dev.yaml:2",
        "experiment.dev.yaml:1",
    ]


def test_defect_39_evaluators_that_match_no_dataset_any_more_are_told(overlaid: Project) -> None:
    overlay = 'datasets:\n- {name: test, source: test.jsonl, mappings: {x: "${data.x}"}}\n'
    warnings = shown(overlaid, overlay)["warnings"]
    assert any("experiment.yaml:12" in each and "'train'" in each and "left out" in each for each in warnings)
    said = overlaid.run("experiment", "run", ".", "--env", "dev", "--dry-run").stderr
    assert "'grade' refers to no dataset" in said


def test_defect_39_an_empty_block_clears_and_says_so(overlaid: Project) -> None:
    result = shown(overlaid, "evaluators:\n")
    assert result["experiment"]["evaluators"] is None
    assert result["warnings"] == ["experiment.dev.yaml:1: 'evaluators' is empty here, so the block is cleared."]
    assert shown(overlaid, "evaluators: []\n")["warnings"] == []


def test_defect_39_unknown_keys_are_refused(overlaid: Project) -> None:
    overlaid.write("experiment.dev.yaml", "datsets: []\n")
    assert "Did you mean 'datasets'?" in overlaid.rejected("experiment", "show", ".", "--env", "dev")
    assert "Did you mean 'dev'?" in overlaid.rejected("experiment", "show", ".", "--env", "dve")


WITH_DEFAULT = """\
inputs:
  x: {type: string}
  style: {type: string, default: plain}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
"""


def test_defect_40_a_default_that_hides_a_column_is_told(overlaid: Project) -> None:
    overlaid.write("main/flow.dag.yaml", WITH_DEFAULT)
    warnings = overlaid.json("experiment", "show", ".")["warnings"]
    assert any("input 'style' keeps its default" in warning for warning in warnings)
    assert "'style' keeps its default" in overlaid.run("experiment", "run", ".", "--dry-run").stderr


def test_defect_40_a_mapping_to_an_unknown_input_is_refused(overlaid: Project) -> None:
    overlaid.write("main/flow.dag.yaml", WITH_DEFAULT)
    overlay = 'datasets:\n- {name: train, source: train.jsonl, mappings: {x: "${data.x}", stlye: "${data.style}"}}\n'
    overlaid.write("experiment.dev.yaml", overlay)
    said = overlaid.rejected("experiment", "run", ".", "--env", "dev", "--dry-run")
    assert "experiment.dev.yaml:2" in said
    assert "Did you mean 'style'?" in said
    assert shown(overlaid, overlay, code=2)["name"] == "overlaid"


def test_defect_40_flows_are_found_below_flows(overlaid: Project) -> None:
    overlaid.write("experiment.yaml", BASE.replace("flow: main", "flow: other"))
    assert overlaid.json("experiment", "run", ".", "--dry-run")["runs"]
