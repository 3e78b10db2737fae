"""Packed lines: all of what they hold comes out again, in chunks, with what the list needs to know of each line."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from flowyard.decisions.model import Evidence, Metric, Scores
from flowyard.records import ErrorRecord, LineResult, NodeResult, Usage
from flowyard.reports import summarize
from flowyard.reports.line_blocks import LineBlocks, packed
from flowyard.reports.line_scores import LineScores, SeenScores, scores_behind
from flowyard.reports.lines import iter_lines

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def said(number: int, answer: object, *nodes: NodeResult) -> LineResult:
    return LineResult(
        number, "completed", {"n": number}, {"answer": answer}, nodes=nodes, duration_s=0.25, usage=Usage(1, 8, 2)
    )


def read_blocks(lab: Lab, *scores: LineScores) -> dict[str, Any]:
    table = summarize(lab.comparison).datasets[0]
    blocks = LineBlocks(0, [row.label for row in table.rows])
    for line in iter_lines(table):
        blocks.add(line)
    return {block.name: unpacked(block.text) for block in blocks.finish(table.name, scores, [0] * len(table.rows))}


@given(st.recursive(st.text() | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=20))
def test_any_value_is_packed_and_comes_back_in_letters_that_end_no_element(value: Any) -> None:
    text = packed(value)
    assert not set(text) & set("<>&\"'")
    assert unpacked(text) == value


def test_half_a_surrogate_pair_is_packed() -> None:
    assert unpacked(packed(["\ud800"])) == ["\\ud800"] or unpacked(packed(["\ud800"])) == ["\ud800"]


def test_what_the_list_needs_is_known_of_each_line(lab: Lab) -> None:
    failed = LineResult(1, "failed", {"n": 1}, {}, ErrorRecord("ValueError", "bad", "classify", "a.py:3"))
    lab.variant("a", [said(0, "x"), failed, said(2, "x"), said(9, "x")])
    name = lab.variant("b", [said(0, "x"), said(1, "x"), said(2, "y")])
    lab.evaluation("grade", name, [LineResult(0, "failed", {}, {}, ErrorRecord("KeyError", "gone")), said(2, "good")])
    found = read_blocks(lab, LineScores("grade.score", False, ({0: 0.5}, {0: 1.0, 9: 0.25})))
    assert found["d0"] == {
        "dataset": "tickets",
        "versions": ["classify=a", "classify=b"],
        "colours": [0, 0],
        "numbers": [0, 1, 2, 9],
        "states": ["cfcc", "eccn"],
        "kinds": [[0, 0, 0, 0], [0, 1, 1, 1]],
        "starts": [0],
        "metrics": [
            {"name": "grade.score", "higher": False, "values": [[0.5, None, None, None], [1.0, None, None, 0.25]]}
        ],
    }
    inputs, (first, second) = found["d0-l0"][1]
    assert inputs == [["n", "1"]]
    assert first == [None, [], ["ValueError", "bad", "classify", "a.py:3"], 0.0, 0, 0.0, []]
    assert second == [None, [["answer", "x"]], None, 250.0, 10, 0.0, []]
    assert found["d0-l0"][0][1][1][6] == [["grade", [], ["KeyError", "gone", None, None]]]
    assert found["d0-l0"][3][1][1] is None


def test_lines_come_in_chunks_and_none_is_lost(lab: Lab) -> None:
    lab.variant("a", [said(number, f"answer {number}") for number in range(250)])
    found = read_blocks(lab)
    assert found["d0"]["starts"] == [0, 100, 200]
    answers = [line[1][0][1][0][1] for chunk in range(3) for line in found[f"d0-l{chunk}"]]
    assert answers == [f"answer {number}" for number in range(250)]
    assert sum(len(found[f"d0-t{chunk}"]) for chunk in range(3)) == 250


def test_long_lines_come_in_smaller_chunks(lab: Lab) -> None:
    lab.variant("a", [LineResult(n, "completed", {f"i{k}": "x" * 9_000 for k in range(30)}, {}) for n in range(9)])
    assert read_blocks(lab)["d0"]["starts"] == [0, 3, 6]


def test_nodes_are_kept_with_prompts_and_long_values_say_what_is_missing(lab: Lab) -> None:
    node = NodeResult(
        "classify", "completed", "x" * 12_000, duration_s=0.5, usage=Usage(1, 5, 1), prompts=("user:\nHi",)
    )
    lost = NodeResult("parse", "failed", error=ErrorRecord("ValueError", "bad", "parse"))
    name = lab.variant("a", [said(0, "x", node, lost)])
    judge = NodeResult("judge", "completed", 5, prompts=("user:\nGrade it",))
    lab.evaluation("quality", name, [said(0, 5, judge)])
    lab.evaluation("plain", name, [said(0, 5, NodeResult("count", "completed", 5))])
    ((own, judged),) = read_blocks(lab)["d0-t0"][0]
    assert own[0] == ""
    assert own[1][0][2].endswith("x… 2,000 more characters")
    assert own[1][0][4:] == [500.0, 6, 0, ["user:\nHi"]]
    assert own[1][1] == ["parse", "failed", None, ["ValueError", "bad", "parse", None], 0.0, 0, 0, []]
    assert judged == ["quality", [["judge", "completed", "5", None, 0.0, 0, 0, ["user:\nGrade it"]]]]


def test_scores_come_from_what_was_tested_by_label_or_by_run(lab: Lab) -> None:
    for variant in ("a", "b"):
        lab.variant(variant, [said(0, "x"), said(1, "x")])
    metric = Metric("accuracy", "score", True)
    scores = Scores(metric, "tickets", [0, 1], {"classify=a": [0.5, float("nan")], "b": [1.0, 0.0]})
    other = Scores(metric, "elsewhere", [0], {"classify=a": [0.5]})
    (found,) = scores_behind(summarize(lab.comparison).datasets[0], Evidence((metric,), (scores, other), (), ()))
    assert found == LineScores("accuracy", True, ({0: 0.5}, {0: 1.0, 1: 0.0}))


def test_without_tests_what_evaluators_said_in_numbers_are_scores(lab: Lab) -> None:
    name = lab.variant("a", [said(0, "x"), said(1, "x")])
    outputs = [{"correct": True, "loss": 0.5, "word": "x"}, {"correct": False, "loss": float("inf")}]
    lab.evaluation("grade", name, [LineResult(n, "completed", {}, each) for n, each in enumerate(outputs)])
    seen = SeenScores(1)
    for line in iter_lines(summarize(lab.comparison).datasets[0]):
        seen.add(line)
    assert seen.scores() == [
        LineScores("grade.correct", True, ({0: 1.0, 1: 0.0},)),
        LineScores("grade.loss", False, ({0: 0.5},)),
    ]
