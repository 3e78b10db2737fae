"""Evaluators over data: mappings, the table, its means, and what is refused before anything runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowyard.client.subject import flow_of
from flowyard.errors import ConnectionMissing, MappingError, UserError
from flowyard.evaluation import DataEvaluation, EvaluationTable, evaluate_data
from flowyard.llm import open_provider
from flowyard.llm.connections import Connections
from flowyard.records import LineResult, RunRecord
from flowyard.runs.run import RunParts
from flowyard.store import SqlStore

ROWS = [{"answer": "a b", "truth": "a"}, {"answer": "c", "truth": "c"}, {"answer": "d e f", "truth": "x"}]


class Quiet:
    """Shows nothing."""

    def start(self, run: RunRecord, total: int) -> None:
        """Nothing."""

    def line(self, result: LineResult) -> None:
        """Nothing."""

    def end(self, run: RunRecord) -> None:
        """Nothing."""


class Place:
    """A folder with data and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqlStore(folder / "home")

    def data(self, rows: list[Mapping[str, Any]] | str, name: str = "data.jsonl") -> Path:
        text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (self.folder / name).write_text(text, "utf-8")
        return self.folder / name

    async def evaluate(
        self, rows: Any, evaluators: Mapping[str, Any], target: Any = None, **options: Any
    ) -> EvaluationTable:
        request = DataEvaluation(
            data=rows if isinstance(rows, Path) else self.data(rows),
            evaluators={alias: flow_of(each, {}) for alias, each in evaluators.items()},
            target=target and flow_of(target, {}),
            **options,
        )
        return await evaluate_data(request, RunParts(Connections([]), open_provider, self.store, Quiet()))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def words(answer: str) -> dict[str, Any]:
    return {"count": len(answer.split()), "text": answer}


def column(table: EvaluationTable, name: str) -> list[Any]:
    return [row[name] for row in table.rows]


async def test_rows_keep_the_order_of_the_data_whatever_finishes_first(place: Place) -> None:
    async def late(number: int) -> int:
        import asyncio

        await asyncio.sleep((20 - number) / 500)
        return number

    table = await place.evaluate([{"number": number} for number in range(20)], {"late": late})
    assert column(table, "inputs.number") == column(table, "outputs.late.output") == list(range(20))
    assert table.metrics == {"late.output": 9.5}
    assert table.warnings == ()


async def test_values_of_the_data_stay_as_they_are_written(place: Place) -> None:
    rows = [{"answer": "1", "date": "2024-02-01", "big": 2**70, "none": None}, {"answer": "x"}]
    table = await place.evaluate(rows, {"words": words})
    first, second = table.rows
    assert {name: first[f"inputs.{name}"] for name in rows[0]} == rows[0]
    assert math.isnan(second["inputs.date"])


async def test_data_may_number_its_own_rows(place: Place) -> None:
    rows = [{"line_number": 7, "answer": "a b"}, {"line_number": 2, "answer": "c"}]

    def target(answer: str) -> dict[str, str]:
        return {"made": answer + " d"}

    table = await place.evaluate(rows, {"words": words}, target, mappings={"words": {"answer": "${target.made}"}})
    assert [(row["inputs.line_number"], row["outputs.words.count"]) for row in table.rows] == [(2, 2), (7, 3)]


async def test_failed_rows_are_counted_out_loud(place: Place) -> None:
    def fussy(answer: str) -> dict[str, float]:
        if answer == "c":
            raise RuntimeError("not this one")
        return {"length": len(answer), "half": math.nan if answer == "a b" else 0.5}

    table = await place.evaluate(ROWS, {"fussy": fussy})
    assert str(column(table, "outputs.fussy.length")) == "[3, nan, 5]"
    assert table.metrics == {"fussy.length": 4.0, "fussy.half": 0.5}
    lost = (
        "Evaluator 'fussy' failed on 1 of 3 rows, which are left out of its means. "
        "First, row 1: (RuntimeError) not this one"
    )
    half = "fussy.half is the mean of 1 of 3 rows: 1 that completed gave no number."
    assert set(table.warnings) == {lost, half}


async def test_a_failing_target_leaves_rows_in_place(place: Place) -> None:
    def target(answer: str) -> dict[str, str]:
        if answer == "c":
            raise RuntimeError("no")
        return {"answer": answer + " more"}

    table = await place.evaluate(ROWS, {"words": words}, target)
    assert str(column(table, "outputs.words.count")) == "[3, nan, 4]"
    assert str(column(table, "outputs.answer")) == "['a b more', nan, 'd e f more']"
    assert table.metrics["words.count"] == 3.5
    assert "The target failed on 1 of 3 rows, which are therefore not evaluated." in table.warnings[0]


async def test_a_target_that_fails_everywhere_is_an_error(place: Place) -> None:
    def target(answer: str) -> str:
        raise RuntimeError("never")

    with pytest.raises(UserError, match=r"failed on every row.*\(RuntimeError\) never"):
        await place.evaluate(ROWS, {"words": words}, target)


async def test_columns_of_text_lists_and_mixed_values_have_no_mean(place: Place) -> None:
    def mixed(answer: str) -> dict[str, Any]:
        return {"text": answer, "list": [1], "mixed": 1 if answer == "c" else "one", "flag": answer == "c"}

    table = await place.evaluate(ROWS, {"mixed": mixed})
    assert table.metrics == {"mixed.flag": pytest.approx(1 / 3)}


async def test_labels_of_defects_become_rates(place: Place) -> None:
    def label(answer: str) -> dict[str, Any]:
        return {"xpia_label": answer == "c", "other_label": answer == "c"}

    table = await place.evaluate(ROWS, {"safe": label})
    assert table.metrics == {"safe.xpia_defect_rate": 0.33, "safe.other_label": pytest.approx(1 / 3)}


async def test_what_evaluators_aggregate_themselves(place: Place) -> None:
    class Total:
        def __call__(self, *, answer: str) -> dict[str, int]:
            return {"n": len(answer)}

        def __aggregate__(self, results: list[Any]) -> dict[str, Any]:
            return {"n": "own", "total": sum(each.n for each in results)}

    class Broken(Total):
        def __aggregate__(self, results: list[Any]) -> dict[str, Any]:
            raise RuntimeError("cannot add")

    table = await place.evaluate(ROWS, {"total": Total(), "broken": Broken()})
    assert table.metrics == {"total.n": "own", "total.total": 9, "broken.n": 3.0}
    assert table.warnings == ("Evaluator 'broken': (RuntimeError) cannot add",)


MAPPED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["a b more", "c more", "d e f more"]),
    ({"words": {"answer": "${data.truth}"}}, ["a", "c", "x"]),
    ({"words": {"answer": "${data.answer}"}}, ["a b", "c", "d e f"]),
    ({"words": {"answer": "${target.echo}"}}, ["a", "c", "x"]),
    ({"default": {"answer": "${data.truth}"}}, ["a", "c", "x"]),
    ({"default": {"answer": "${data.answer}"}, "words": {"answer": "${target.echo}"}}, ["a", "c", "x"]),
    ({"default": {"elsewhere": "${data.truth}"}}, ["a b more", "c more", "d e f more"]),
]


@pytest.mark.parametrize(("mappings", "read"), MAPPED, ids=str)
async def test_where_an_input_comes_from(mappings: dict[str, Any], read: list[str], place: Place) -> None:
    def target(answer: str, truth: str) -> dict[str, str]:
        return {"answer": f"{answer} more", "echo": truth}

    table = await place.evaluate(ROWS, {"words": words}, target, mappings=mappings)
    assert column(table, "outputs.words.text") == read


async def test_a_mapping_for_no_evaluator_is_warned_of(place: Place) -> None:
    table = await place.evaluate(ROWS, {"words": words}, mappings={"word": {"answer": "${data.truth}"}})
    assert table.warnings == ("There is a mapping for 'word', which is no evaluator. Did you mean 'words'?",)


def needs_more(answer: str, context: str) -> int:
    return len(answer) + len(context)


def gives_answer(truth: str) -> dict[str, str]:
    return {"answer": truth}


Refused = tuple[Any, Callable[..., Any], Any, dict[str, Any], str]
REFUSED: list[Refused] = [
    (ROWS, needs_more, None, {}, "Missing required inputs for evaluator 'one': context"),
    (ROWS, words, None, {"one": {"answer": "${data.anwser}"}}, r"answer \(mapped to \$\{data.anwser\}\)"),
    (ROWS, words, gives_answer, {"one": {"answer": "${data.anwser}"}}, r"mapped to \$\{data.anwser\}"),
    (ROWS, words, None, {"one": {"answer": "${target.x}"}}, "there is no target"),
    (ROWS, words, None, {"one": {"answer": "${run.outputs.x}"}}, r"reads \$\{run.outputs.x\}"),
    ([{"answer": "a"}], words, gives_answer, {}, "Missing required inputs for the target: truth"),
    ([{"truth": "a", "__outputs.x": 1}], words, gives_answer, {}, "'__outputs.x'"),
    ([], words, None, {}, "nothing to evaluate: data.jsonl has no rows"),
    ('{"answer": "a"}\n{"answer": \n', words, None, {}, r"a row that cannot be read.*\(data.jsonl:2\)"),
]


@pytest.mark.parametrize(
    ("rows", "evaluator", "target", "mappings", "said"),
    REFUSED,
    ids=lambda value: getattr(value, "__name__", str(value))[:40],
)
async def test_what_cannot_be_evaluated_is_said_before_anything_runs(
    rows: Any, evaluator: Any, target: Any, mappings: dict[str, Any], said: str, place: Place
) -> None:
    with pytest.raises(UserError, match=said):
        await place.evaluate(rows, {"one": evaluator}, target, mappings=mappings)
    assert place.store.list_runs() == []


async def test_what_only_the_target_can_tell_is_said_before_evaluators_run(place: Place) -> None:
    with pytest.raises(MappingError, match="'one': context") as caught:
        await place.evaluate(ROWS, {"words": words, "one": needs_more}, gives_answer)
    assert "The target gives: 'answer'." in str(caught.value.hint)
    assert [run.lines.total for run in place.store.list_runs()] == [3]


async def test_a_flow_may_evaluate_and_its_missing_connection_is_said_first(place: Place) -> None:
    flow = place.folder / "flow"
    flow.mkdir()
    (flow / "ask.jinja2").write_text("system:\nGrade.\nuser:\n{{answer}}\n", "utf-8")
    (flow / "flow.dag.yaml").write_text(
        "inputs: {answer: {type: string}}\n"
        'outputs: {grade: {type: string, reference: "${ask.output}"}}\n'
        "nodes:\n- {name: ask, type: llm, source: {type: code, path: ask.jinja2}, api: chat, connection: nowhere,\n"
        '   inputs: {deployment_name: d, answer: "${inputs.answer}"}}\n',
        "utf-8",
    )
    with pytest.raises(ConnectionMissing, match="nowhere"):
        await place.evaluate(ROWS, {"words": words, "flow": flow})
    assert place.store.list_runs() == []


async def test_the_runs_are_kept(place: Place) -> None:
    await place.evaluate(ROWS, {"words": words, "a.b c": words}, gives_answer, name="my evaluation")
    runs = place.store.list_runs()
    assert sorted(run.role for run in runs) == ["evaluation", "evaluation", "run"]
    assert {run.display_name for run in runs} == {"my evaluation"}


async def test_other_formats_of_data(place: Place) -> None:
    table = await place.evaluate(place.data("answer,n\na b,1\n", "data.csv"), {"words": words})
    assert table.metrics == {"words.count": 2.0}
