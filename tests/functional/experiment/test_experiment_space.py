"""Experiments over variants and parameters, planned and run through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ASK_FLOW, Project

TWO_VARIANTS = """\
inputs: {x: {type: string}}
outputs:
  left: {type: string, reference: "${left.output}"}
  right: {type: string, reference: "${right.output}"}
nodes:
- {name: left, use_variants: true}
- {name: right, use_variants: true}
node_variants:
  left:
    default_variant_id: Plain
    variants:
      Plain: {node: &node {type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", times: 1}}}
      variant_1: {node: {type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", times: 2}}}
  right:
    default_variant_id: Plain
    variants:
      Plain: {node: *node}
      variant_1: {node: {type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", times: 3}}}
"""
WORK = """\
from promptflow.core import tool


@tool
def work(x: str, times: int = 1):
    return x * times
"""
EXPERIMENT = """\
name: space
flow: two
datasets:
- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}
"""


@pytest.fixture
def two(project: Project) -> Project:
    """A flow of two nodes with variants of the same ids, and an experiment over it."""
    project.flow("two", TWO_VARIANTS, work_py=WORK)
    project.jsonl("rows.jsonl", [{"x": "a"}, {"x": "b"}])
    project.write("experiment.yaml", EXPERIMENT)
    return project


def extend(project: Project, text: str) -> None:
    file = project.root / "experiment.yaml"
    file.write_text(file.read_text() + text)


def planned(project: Project, *args: str) -> list[str]:
    return [run["variant"] for run in project.json("experiment", "run", ".", "--dry-run", *args)["runs"]]


def outputs(result: dict[str, Any]) -> dict[str, list[Any]]:
    """The first line's outputs of each run by its label."""
    found = {}
    for run in result["runs"]:
        first = json.loads(Path(run["outputs"]).read_text().splitlines()[0])
        found[run["variant"]] = [first[name] for name in first if name != "line_number"]
    return found


def test_defect_1_nodes_and_parameters_are_combined(two: Project) -> None:
    extend(two, "variants: {mode: all}\nparameters: {left.times: [2, 4]}\n")
    result = two.json("experiment", "run", ".")
    assert outputs(result) == {
        "left=Plain, right=Plain, left.times=2": ["aa", "a"],
        "left=Plain, right=Plain, left.times=4": ["aaaa", "a"],
        "left=Plain, right=variant_1, left.times=2": ["aa", "aaa"],
        "left=Plain, right=variant_1, left.times=4": ["aaaa", "aaa"],
        "left=variant_1, right=Plain, left.times=2": ["aa", "a"],
        "left=variant_1, right=Plain, left.times=4": ["aaaa", "a"],
        "left=variant_1, right=variant_1, left.times=2": ["aa", "aaa"],
        "left=variant_1, right=variant_1, left.times=4": ["aaaa", "aaa"],
    }
    record = two.json("run", "show", "-n", result["runs"][1]["name"])
    stored = json.loads((Path(record["path"]) / "run.json").read_text())
    assert stored["parameters"] == {"left.times": 4}


def test_defect_3_the_same_variant_id_in_two_nodes_is_told_apart(two: Project) -> None:
    result = two.json("experiment", "run", ".")
    assert outputs(result) == {
        "left=Plain, right=Plain": ["a", "a"],
        "left=variant_1, right=Plain": ["aa", "a"],
        "left=Plain, right=variant_1": ["a", "aaa"],
    }
    names = [run["name"] for run in result["runs"]]
    assert len(set(names)) == 3
    assert "left.variant_1_right.Plain" in names[1]
    assert planned(two, "--variants", "right.variant_1") == ["left=Plain, right=variant_1"]


def test_defect_4_capitals_match_and_what_matches_nothing_is_an_error(two: Project) -> None:
    extend(
        two,
        "variants: {nodes: {left: [variant_1]}, named: [{name: Both, select: {left: variant_1, right: variant_1}}]}\n",
    )
    assert planned(two, "--variants", "left.Plain") == ["left=Plain, right=Plain"]
    assert planned(two, "--variants", "Both") == ["left=variant_1, right=variant_1"]
    said = two.rejected("experiment", "run", ".", "--variants", "left.plain")
    assert "Did you mean 'left.Plain'?" in said


def test_defect_5_many_runs_in_one_second_have_names_of_their_own(two: Project) -> None:
    names = [run["name"] for _ in range(2) for run in two.json("experiment", "run", ".")["runs"]]
    assert len(set(names)) == len(names) == 6


@pytest.mark.parametrize(
    ("blocks", "where", "said"),
    [
        ("variants: {nodes: {lefft: [Plain]}}", "experiment.yaml:5", "'left'"),
        ("variants:\n  nodes:\n    left: [plain]", "experiment.yaml:7", "Did you mean 'Plain'?"),
        ("variants:\n  named:\n  - {name: x, select: {left: vairant_1}}", "experiment.yaml:7", "'variant_1'"),
        ("variants:\n  mode: everything", "experiment.yaml:6", "'all'"),
        ("parameters:\n  left.tims: [1]", "experiment.yaml:6", "Did you mean 'times'?"),
        ("parameters:\n  lefft.times: [1]", "experiment.yaml:6", "Did you mean 'left'?"),
        ("parameters:\n  left.times: {min: 1, max: 3, stps: 2}", "experiment.yaml:6", "Did you mean 'steps'?"),
        ("parameters:\n  left.source.path: [wrok.py]", "experiment.yaml:6", "Did you mean 'work.py'?"),
        ("search: {metod: random}", "experiment.yaml:5", "Did you mean 'method'?"),
        ("sreach: {method: random}", "experiment.yaml:5", "Did you mean 'search'?"),
    ],
)
def test_defect_6_what_is_unknown_is_an_error_with_its_line(two: Project, blocks: str, where: str, said: str) -> None:
    extend(two, f"{blocks}\n")
    message = two.rejected("experiment", "run", ".", "--dry-run")
    assert where in message
    assert said in message


FLEX_CODE = """\
class Answer:
    def __init__(self, word: str, times: int = 1):
        self.word, self.times = word, times

    def __call__(self, x: str) -> str:
        return x + self.word * self.times
"""
FLEX_EXPERIMENT = """\
name: words
flow: flex
datasets:
- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}
parameters:
  init.times: {min: 1, max: 3, steps: 3}
"""


def test_defect_7_flex_flows_have_experiments(project: Project) -> None:
    project.write("flex/flow.flex.yaml", "entry: code:Answer\nsample: {init: {word: '!'}}\n")
    project.write("flex/code.py", FLEX_CODE)
    project.jsonl("rows.jsonl", [{"x": "a"}])
    project.write("experiment.yaml", FLEX_EXPERIMENT)
    result = project.json("experiment", "run", ".")
    assert outputs(result) == {"init.times=1": ["a!"], "init.times=2": ["a!!"], "init.times=3": ["a!!!"]}
    plan = project.json("experiment", "run", ".", "--dry-run", "--parameter", "init.word=x,'y, z'")
    assert [run["parameters"] for run in plan["runs"]][:2] == [
        {"init.times": 1, "init.word": "x"},
        {"init.times": 1, "init.word": "y, z"},
    ]
    assert plan["has_code"]


PROMPTY = """\
---
model:
  configuration: {type: azure_openai, azure_deployment: gpt-4o-mini, connection: my_model}
  parameters: {max_tokens: 10}
inputs: {q: {type: string}}
---
user:
{{q}}
"""
PROMPTY_EXPERIMENT = """\
name: asking
flow: ask.prompty
datasets:
- {name: rows, source: rows.jsonl, mappings: {q: "${data.x}"}}
parameters:
  parameters.temperature: [0, 1]
  model: [gpt-4o-mini, gpt-4o]
"""
RULES = "rules:\n- reply: '{{ model }}'\n"


def test_defect_7_prompty_files_have_experiments(project: Project) -> None:
    project.write("ask.prompty", PROMPTY)
    project.jsonl("rows.jsonl", [{"x": "a"}, {"x": "b"}])
    project.write("experiment.yaml", PROMPTY_EXPERIMENT)
    project.write("rules.yaml", RULES)
    result = project.json("experiment", "run", ".", "--simulate", "rules.yaml")
    labels = [f"parameters.temperature={each}, model={name}" for each in (0, 1) for name in ("gpt-4o-mini", "gpt-4o")]
    assert list(outputs(result)) == labels
    assert all(run["lines"]["completed"] == 2 for run in result["runs"])
    plan = project.json("experiment", "run", ".", "--dry-run")
    assert (plan["model_calls"], plan["completion_tokens"]) == (8, 80)
    assert plan["runs"][1]["cost_usd"] > plan["runs"][0]["cost_usd"] > 0


def test_defect_8_all_kinds_of_flow_take_parameters_the_same_way(two: Project) -> None:
    two.write("flex/flow.flex.yaml", "entry: code:Answer\nsample: {init: {word: '!'}}\n")
    two.write("flex/code.py", FLEX_CODE)
    for flow, name in (("two", "left.times"), ("flex", "init.times")):
        run = two.json("run", "create", "--flow", flow, "--data", "rows.jsonl", "--parameter", f"{name}=2")
        stored = json.loads((Path(run["path"]) / "run.json").read_text())
        assert stored["parameters"] == {name: 2}
        again = two.json("run", "create", "--resume-from", run["name"])
        assert json.loads((Path(again["path"]) / "run.json").read_text())["parameters"] == {name: 2}
        assert (
            "'tims'"
            in two.run(
                "run",
                "create",
                "--flow",
                flow,
                "--data",
                "rows.jsonl",
                "--parameter",
                name.replace("times", "tims") + "=2",
                code=2,
            ).stderr
        )


def test_a_run_that_is_resumed_keeps_its_parameters(two: Project) -> None:
    run = two.json("run", "create", "--flow", "two", "--data", "rows.jsonl", "--parameter", "left.times=3")
    lines = Path(run["path"]) / "lines.jsonl"
    lines.write_text(lines.read_text().splitlines(keepends=True)[0])
    two.run("run", "resume", run["name"], "--anyway")
    assert sorted(line["outputs"]["left"] for line in two.lines(run)) == ["aaa", "bbb"]


ASKING = """\
name: asking
flow: ask
datasets:
- {name: rows, source: rows.jsonl, mappings: {question: "${data.x}"}}
parameters:
  ask.model: [gpt-4o-mini, gpt-4o]
  ask.max_tokens: [100]
"""


@pytest.fixture
def asking(project: Project) -> Project:
    project.flow("ask", ASK_FLOW, ask_jinja2="user:\n{{question}}\n", other_jinja2="user:\nShortly: {{question}}\n")
    project.jsonl("rows.jsonl", [{"x": "word " * 80} for _ in range(50)])
    project.write("experiment.yaml", ASKING)
    return project


def test_a_plan_is_priced_before_anything_is_paid(asking: Project) -> None:
    plan = asking.json("experiment", "run", ".", "--dry-run")
    assert (plan["model_calls"], plan["lines"], plan["completion_tokens"]) == (100, 100, 10_000)
    assert 9_000 < plan["prompt_tokens"] < 13_000
    small, large = plan["runs"]
    assert 5 < large["cost_usd"] / small["cost_usd"] < 50
    assert plan["cost_usd"] == pytest.approx(small["cost_usd"] + large["cost_usd"])
    said = asking.run("experiment", "run", ".", "--dry-run", env={"COLUMNS": "80"}).stdout
    assert max(map(len, said.splitlines())) <= 80
    assert "estimated" in said
    assert "$" in said
    assert not asking.home.exists()


def test_what_does_not_fit_into_the_cost_is_left_out_and_named(asking: Project) -> None:
    extend(asking, "search: {max_cost: 0.02}\n")
    plan = asking.json("experiment", "run", ".", "--dry-run")
    assert [run["parameters"]["ask.model"] for run in plan["runs"]] == ["gpt-4o-mini"]
    assert [each["variant"] for each in plan["left_out"]] == ["ask.model=gpt-4o, ask.max_tokens=100"]
    assert any("experiment.yaml:8" in warning and "gpt-4o" in warning for warning in plan["warnings"])
    asking.write("rules.yaml", RULES)
    result = asking.json("experiment", "run", ".", "--simulate", "rules.yaml")
    assert [run["variant"] for run in result["runs"]] == ["ask.model=gpt-4o-mini, ask.max_tokens=100"]


def test_models_of_unknown_price_are_named(asking: Project) -> None:
    extend(asking, "search: {max_cost: 0.02}\n")
    plan = asking.json("experiment", "run", ".", "--dry-run", "--parameter", "ask.model=nobody-knows")
    assert plan["unpriced_calls"] == 50
    assert any("nobody-knows" in warning for warning in plan["warnings"])


def test_prompt_files_are_a_parameter(asking: Project) -> None:
    asking.write("rules.yaml", "rules:\n- when: {user: '^Shortly'}\n  reply: short\n- reply: long\n")
    args = ("--variants", "defaults", "--parameter", "ask.prompt=ask.jinja2,other.jinja2", "--simulate", "rules.yaml")
    found = outputs(asking.json("experiment", "run", ".", "--parameter", "ask.model=gpt-4o", *args))
    assert list(found.values()) == [["long"], ["short"]]


def test_a_random_search_is_the_same_for_the_same_seed(asking: Project) -> None:
    huge = "{min: 0, max: 2, steps: 1000}"
    extend(asking, f"  ask.temperature: {huge}\n  ask.top_p: {huge}\n  ask.presence_penalty: {huge}\n")
    assert "2,000,000,000" in asking.rejected("experiment", "run", ".", "--dry-run")
    extend(asking, "search: {method: random, seed: 5, max_runs: 20}\n")
    labels = planned(asking)
    assert len(set(labels)) == 20
    assert planned(asking) == labels


def test_data_is_read_from_urls_and_registered_names(two: Project) -> None:
    url = (two.root / "rows.jsonl").as_uri()
    two.write("experiment.yaml", EXPERIMENT.replace("source: rows.jsonl", f"source: {url}"))
    assert len(planned(two)) == 3
    two.write("experiment.yaml", EXPERIMENT.replace("source: rows.jsonl", "source: 'registry:rows:3'"))
    assert "No dataset 'rows' is registered." in two.rejected("experiment", "run", ".", "--dry-run")
