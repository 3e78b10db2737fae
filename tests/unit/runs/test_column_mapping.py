from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import MappingError, UserError
from flowyard.flows import DagFlow, Flow, Input
from flowyard.records import LineCounts, RunRecord
from flowyard.runs.mapping import check_mapping, plan_lines


def flow(**defaults: Any) -> Flow:
    """A flow with one input per argument, whose value is the default (None: required)."""
    inputs = {name: Input(name, "string", default, where="flow.dag.yaml:2") for name, default in defaults.items()}
    return DagFlow(name="f", file=Path("flow.dag.yaml"), folder=Path(), inputs=inputs, nodes=())


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def base_run(folder: Path, outputs: Sequence[dict[str, Any]], data: Path | None = None) -> RunRecord:
    jsonl(folder / "outputs.jsonl", outputs)
    return RunRecord(
        "base", "completed", "f", folder, data=str(data) if data else None, lines=LineCounts(9, len(outputs), 0)
    )


def lines(*args: Any) -> list[tuple[int, dict[str, Any]]]:
    return [(task.line_number, dict(task.inputs)) for task in plan_lines(*args).tasks]


def test_priority(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"a": 1, "b": 2, "c": 3, "x.y": 4}])
    plan = plan_lines(flow(a=None, b="own", c="own"), data, None, {"c": "${data.x.y}", "more": "text ${data.a}"})
    (task,) = plan.tasks
    assert dict(task.inputs) == {"a": 1, "c": 4, "more": "text ${data.a}"}
    assert plan.total == 1
    assert any("'b' keeps its default" in warning for warning in plan.warnings)
    assert any("sets 'more', which is not an input" in warning for warning in plan.warnings)


def test_every_bad_relation_is_listed(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"text": 1}])
    with pytest.raises(MappingError) as caught:
        plan_lines(flow(a=None, b=None), data, None, {"a": "${data.txet}"})
    assert "'a' reads ${data.txet}" in str(caught.value)
    assert "'b' reads ${data.b}" in str(caught.value)
    assert "text" in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"a": "literal"}, "literal values only"),
        ({"a": "${nowhere.x}"}, "no known source"),
        ({"a": "${data}"}, "no known source"),
        ({"a": "${run.outputs.x}"}, "no run was given"),
    ],
)
def test_mappings_that_cannot_be(tmp_path: Path, mapping: dict[str, Any], message: str) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"a": 1}])
    with pytest.raises(MappingError, match=message):
        plan_lines(flow(a=None), data, None, mapping)


def test_no_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"d\.jsonl has no rows"):
        plan_lines(flow(a=None), jsonl(tmp_path / "d.jsonl", []), None, {})


def test_a_row_without_the_column_fails_alone(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"a": 1}, {"b": 2}, {"a": None}])
    first, second, third = plan_lines(flow(a=None), data, None, {}).tasks
    assert (first.error, third.error, dict(third.inputs)) == (None, None, {"a": None})
    assert second.error is not None
    assert second.error.type == "ColumnMissing"


def test_an_evaluation_covers_what_its_base_run_completed(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"truth": f"t{number}"} for number in range(5)])
    base = base_run(tmp_path, [{"line_number": 1, "answer": "a1"}, {"line_number": 4, "answer": "a4"}], data)
    mapping = {"a": "${run.outputs.answer}", "t": "${data.truth}", "i": "${run.inputs.truth}"}
    assert lines(flow(a=None, t=None, i=None), data, base, mapping) == [
        (1, {"a": "a1", "t": "t1", "i": "t1"}),
        (4, {"a": "a4", "t": "t4", "i": "t4"}),
    ]


def test_data_may_have_line_numbers_of_its_own(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"line_number": 4, "t": "four"}, {"line_number": 1, "t": "one"}])
    base = base_run(tmp_path, [{"line_number": 1, "a": 1}, {"line_number": 2, "a": 2}, {"line_number": 4, "a": 4}])
    assert lines(flow(a=None, t=None), data, base, {"a": "${run.outputs.a}"}) == [
        (1, {"a": 1, "t": "one"}),
        (4, {"a": 4, "t": "four"}),
    ]


@pytest.mark.parametrize("row", [{}, *({"line_number": odd} for odd in ("x", None, [1], 1.5, True, 0))])
def test_odd_line_numbers_are_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"line_number": 0, "t": "a"}, {"t": "b", **row}])
    with pytest.raises(MappingError, match=r"row 1 has (the|no) line_number"):
        plan_lines(flow(t=None), data, None, {})


def test_an_unreadable_row_among_numbered_ones_fails_alone(tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text('{"line_number": 5, "t": "a"}\n{\n{"line_number": 7, "t": "c"}\n')
    tasks = list(plan_lines(flow(t=None), data, None, {}).tasks)
    assert [(task.line_number, task.error is None) for task in tasks] == [(1, False), (5, True), (7, True)]


def test_run_inputs_without_data(tmp_path: Path) -> None:
    base = base_run(tmp_path, [{"line_number": 0, "a": 1}])
    with pytest.raises(MappingError, match="had no data file"):
        plan_lines(flow(a=None), None, base, {"a": "${run.inputs.x}"})
    with pytest.raises(MappingError, match="not mapped and there is no data"):
        plan_lines(flow(a=None, b=None), None, base, {"a": "${run.outputs.a}"})
    assert lines(flow(a=None), None, base, {"a": "${run.outputs.a}"}) == [(0, {"a": 1})]


def test_an_evaluation_is_checked_before_its_base_run(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"truth": 1}])
    assert check_mapping(flow(a=None), data, ["answer"], {"a": "${run.outputs.answer}"}) == []
    with pytest.raises(MappingError, match="answre"):
        check_mapping(flow(a=None), data, ["answer"], {"a": "${run.outputs.answre}"})


@settings(deadline=None)
@given(st.sets(st.integers(0, 40), min_size=1), st.integers(1, 40))
def test_joined_lines_are_those_of_both_sources(
    tmp_path_factory: pytest.TempPathFactory, completed: set[int], size: int
) -> None:
    folder = tmp_path_factory.mktemp("j")
    data = jsonl(folder / "d.jsonl", [{"t": number} for number in range(size)])
    base = base_run(folder, [{"line_number": number, "a": number} for number in sorted(completed)], data)
    both = sorted(completed & set(range(size)))
    assert lines(flow(a=None, t=None), data, base, {"a": "${run.outputs.a}"}) == [(n, {"t": n, "a": n}) for n in both]


def test_line_numbers_on_later_rows_only_are_refused(tmp_path: Path) -> None:
    rows = [{"t": number} for number in range(150)]
    data = jsonl(tmp_path / "d.jsonl", [*rows, {"t": 150, "line_number": 3}])
    with pytest.raises(MappingError, match="row 0 has no line_number"):
        plan_lines(flow(t=None), data, None, {})


def test_line_numbers_in_csv_join(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("line_number,t\n4,four\n2,two\n")
    base = base_run(tmp_path, [{"line_number": 2, "a": "A"}, {"line_number": 3, "a": "B"}])
    assert lines(flow(t=None, a=None), data, base, {"a": "${run.outputs.a}"}) == [(2, {"t": "two", "a": "A"})]


def test_sources_of_different_lengths_are_refused(tmp_path: Path) -> None:
    data, before = (jsonl(tmp_path / name, [{"t": 1}] * count) for name, count in (("d.jsonl", 2), ("b.jsonl", 3)))
    base = base_run(tmp_path, [{"line_number": 0, "a": 1}], before)
    mapping = {"t": "${data.t}", "a": "${run.inputs.t}"}
    with pytest.raises(MappingError, match=r"different numbers of rows \(2, 3\)"):
        plan_lines(flow(t=None, a=None), data, base, mapping)


def test_run_inputs_is_the_data_of_the_base_run(tmp_path: Path) -> None:
    before = jsonl(tmp_path / "b.jsonl", [{"raw.name": "x"}, {"raw.name": "y"}])
    base = base_run(tmp_path, [{"line_number": 1, "a": "A"}], before)
    assert lines(flow(t=None), None, base, {"t": "${run.inputs.raw.name}"}) == [(1, {"t": "y"})]


def test_what_is_wrong_in_several_ways_is_listed_once(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "d.jsonl", [{"text": 1}])
    mapping = {
        "a": "${data.txt}",
        "b": "${nowhere.x}",
        "c": "${run.outputs.x}",
        "d": "${run.inputs.y}",
        "e": "${data.z",
    }
    with pytest.raises(MappingError) as caught:
        plan_lines(flow(a=None, b=None, c=None, d=None, e=None), data, None, mapping)
    said = str(caught.value)
    assert "'a' reads ${data.txt}" in said
    assert "Did you mean 'text'" in said
    assert "'b' reads ${nowhere.x}" in said
    assert "'e' is not a whole reference" in said
    assert said.count("no run was given") == 1


def test_an_input_without_data_or_mapping(tmp_path: Path) -> None:
    base = base_run(tmp_path, [{"line_number": 0, "a": 1}])
    with pytest.raises(MappingError, match="Input 'b' of flow 'f' is not mapped and there is no data"):
        plan_lines(flow(a=None, b=None), None, base, {"a": "${run.outputs.a}"})
