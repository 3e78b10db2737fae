from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from flowyard.errors import FlowInvalid, UserError
from flowyard.flows import FlexFlow, InputRef
from flowyard.flows.load import load_flow
from flowyard.flows.variants import parse_selection

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        (tmp_path / "a.py").write_text("")
        (tmp_path / "flow.dag.yaml").write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return tmp_path

    return write


def problems(folder: Path, **selected: str) -> list[str]:
    with pytest.raises(FlowInvalid) as caught:
        load_flow(folder, selected)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_every_problem_is_found_with_its_line(write: Write) -> None:
    folder = write(
        """
        inputs:
          text: {type: string}
          wrong: {type: number}
        outputs:
          y: {type: string, reference: "${gone.output}"}
          z: {type: string}
        nodes:
          - name: one
            type: python
            source: {type: code, path: a.py}
            inputs: {x: "${inputs.txet}", y: "${two.result}"}
          - name: one
            type: python
            source: {type: code, path: b.py}
          - name: two
            type: python
            source: {type: code, path: a.py}
            activate: {when: "${inputs.text}"}
          - name: inputs
            type: teleport
            source: {type: code, path: a.py}
        """
    )
    found = "\n".join(problems(folder))
    for part in (
        "flow.dag.yaml:3: Input 'wrong' has the unknown type 'number'",
        "flow.dag.yaml:5: Output 'y' reads ${gone.output}, but the flow has no node 'gone'",
        "flow.dag.yaml:6: Output 'z' has no reference",
        "flow.dag.yaml:8: Node 'one' reads ${inputs.txet}, but the flow has no input 'txet'",
        "flow.dag.yaml:11: Reference '${two.result}' has the section 'result'",
        "flow.dag.yaml:12: Node name 'one' is used twice",
        "flow.dag.yaml:14: Node 'one' reads the file 'b.py', which does not exist",
        "flow.dag.yaml:18: 'activate' of node 'two' needs both 'when' and 'is'",
        "flow.dag.yaml:19: A node cannot be called 'inputs'",
        "flow.dag.yaml:19: Node 'inputs' has type 'teleport'",
    ):
        assert part in found


def test_near_names_are_suggested(write: Write) -> None:
    folder = write(
        """
        inputs: {text: {type: string}}
        nodes:
          - {name: one, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.txet}"}}
        """
    )
    with pytest.raises(FlowInvalid) as caught:
        load_flow(folder)
    assert "text" in str(caught.value.problems[0].hint)


def test_aggregation_rules(write: Write) -> None:
    folder = write(
        """
        nodes:
          - {name: all, type: python, source: {path: a.py}, aggregation: true, inputs: {x: "${one.output}"}}
          - {name: one, type: python, source: {path: a.py}}
          - {name: reader, type: python, source: {path: a.py}, inputs: {x: "${all.output}"}}
          - name: other
            type: python
            source: {path: a.py}
            reduce: true
            activate: {when: "${one.output}", is: 1}
        """
    )
    found = problems(folder)
    assert found == [
        "flow.dag.yaml:4: Node 'reader' runs for each line, so it cannot read 'all', an aggregation node.",
        "flow.dag.yaml:5: 'activate' of the aggregation node 'other' may read aggregation nodes only.",
    ]


def test_a_circle_is_shown(write: Write) -> None:
    folder = write(
        """
        nodes:
          - {name: a, type: python, source: {path: a.py}, inputs: {x: "${b.output}"}}
          - {name: b, type: python, source: {path: a.py}, inputs: {x: "${a.output}"}}
        """
    )
    assert problems(folder) == ["flow.dag.yaml:2: Nodes read each other in a circle: a → b → a."]


def test_aggregation_outputs_are_left_out_with_a_warning(write: Write) -> None:
    folder = write(
        """
        outputs: {n: {type: int, reference: "${all.output}"}}
        nodes:
          - {name: all, type: python, source: {path: a.py}, aggregation: true}
        """
    )
    flow = load_flow(folder)
    assert flow.outputs == {}
    assert len(flow.warnings) == 1
    assert flow.warnings[0].startswith("flow.dag.yaml:1: output 'n' reads the aggregation node 'all'")


def test_defaults_decide_what_is_required(write: Write) -> None:
    folder = write(
        """
        inputs:
          a: {type: string}
          b: {type: string, default: null}
          c: {type: string, default: ""}
          d: {type: int, default: 0}
          e: {type: bool, default: false}
          chat_history: {type: list}
          plain: {type: list, is_chat_history: false}
        nodes: []
        """
    )
    inputs = load_flow(folder).inputs
    assert [name for name, each in inputs.items() if each.required] == ["a", "b", "chat_history", "plain"]
    assert inputs["chat_history"].is_chat_history
    assert not inputs["plain"].is_chat_history


VARIANTS = """
    inputs: {x: {type: string}}
    nodes:
      - {name: pick, use_variants: true, activate: {when: "${inputs.x}", is: never}}
      - {name: other, use_variants: true}
    node_variants:
      pick:
        default_variant_id: second
        variants:
          first: {node: {type: python, source: {path: a.py}, inputs: {v: "1"}}}
          second: {node: {type: python, source: {path: a.py}, inputs: {v: "${inputs.x}"}}}
      other:
        default_variant_id: only
        variants:
          only: {node: {name: ignored, type: python, source: {path: a.py}}}
"""


def test_variants(write: Write) -> None:
    folder = write(VARIANTS)
    flow = load_flow(folder)
    assert dict(flow.variants) == {"pick": ("second", "first"), "other": ("only",)}
    assert dict(flow.chosen) == {"pick": "second", "other": "only"}
    assert [node.name for node in flow.nodes] == ["pick", "other"]
    assert flow.nodes[0].inputs == {"v": InputRef("x")}
    assert flow.nodes[0].activate is None
    chosen = load_flow(folder, {"pick": "first"})
    assert dict(chosen.chosen) == {"pick": "first", "other": "only"}
    assert chosen.nodes[0].where == "flow.dag.yaml:9"


@pytest.mark.parametrize(
    ("selected", "message"),
    [({"pick": "frist"}, "no variant 'frist'"), ({"pikc": "first"}, "which has no variants")],
)
def test_unknown_variants(write: Write, selected: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_flow(write(VARIANTS), selected)
    assert caught.value.hint


@pytest.mark.parametrize("entry", ["", "node_variants: {pick: {variants: {a: {node: {}}}}}"])
def test_use_variants_without_a_usable_default(write: Write, entry: str) -> None:
    folder = write("nodes:\n  - {name: pick, use_variants: true}\n" + entry)
    with pytest.raises(UserError, match="pick"):
        load_flow(folder)


@pytest.mark.parametrize(
    "entry", ["{}", "[]", "3", "{variants: 3, default_variant_id: a}", "{variants: {a: 3}, default_variant_id: a}"]
)
def test_malformed_variants_are_the_users_mistake(write: Write, entry: str) -> None:
    folder = write(f"nodes:\n  - {{name: pick, use_variants: true}}\nnode_variants: {{pick: {entry}}}\n")
    with pytest.raises(UserError):
        load_flow(folder)


@pytest.mark.parametrize("text", ["${pick.first}", "pick.first", "'${pick.first}'", ' "pick.first" '])
def test_selection(text: str) -> None:
    assert parse_selection(text) == ("pick", "first")


@pytest.mark.parametrize("text", ["pick", "${pick}", "", ".", "${a.b.c"])
def test_bad_selection(text: str) -> None:
    with pytest.raises(UserError, match="does not select a variant"):
        parse_selection(text)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "inputs: []",
        "nodes: {}",
        "nodes: [3]",
        "inputs: {x: 3}\nnodes: []",
        "nodes: [{name: 3}]",
        "language: csharp",
    ],
)
def test_malformed_files_are_the_users_mistake(write: Write, text: str) -> None:
    with pytest.raises(UserError):
        load_flow(write(text))


def test_finding_a_flow(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no flow"):
        load_flow(tmp_path)
    (tmp_path / "flow.dag.yaml").write_text("nodes: []")
    (tmp_path / "flow.flex.yaml").write_text("entry: a:b")
    with pytest.raises(UserError, match="several flows"):
        load_flow(tmp_path)
    assert isinstance(load_flow(tmp_path / "flow.flex.yaml"), FlexFlow)
    with pytest.raises(UserError, match="Flow not found") as caught:
        load_flow(tmp_path / "flow.dga.yaml")
    assert "flow.dag.yaml" in str(caught.value.hint)


def test_a_flow_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Flow not found") as caught:
        load_flow(tmp_path / "xyzzy")
    assert "holds no flow" in str(caught.value.hint)
    (tmp_path / "triage").mkdir()
    (tmp_path / "triage" / "flow.dag.yaml").write_text("nodes: []")
    with pytest.raises(UserError, match="Flow not found") as caught:
        load_flow(tmp_path / "xyzzy")
    assert "triage" in str(caught.value.hint)
