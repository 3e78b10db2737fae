"""Lines side by side: merged by number, the telling ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowyard.records import ErrorRecord, LineResult
from flowyard.reports import summarize
from flowyard.reports.cells import fields_side_by_side
from flowyard.reports.lines import Failures, choose_lines, choose_numbers, iter_lines

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab


def said(number: int, answer: object) -> LineResult:
    return LineResult(number, "completed", {"n": number}, {"answer": answer})


def lost(number: int) -> LineResult:
    return LineResult(number, "failed", {"n": number}, {}, ErrorRecord("ValueError", "bad", "classify"))


def test_lines_are_merged_by_number_however_they_finished(lab: Lab) -> None:
    lab.variant("a", [said(2, "x"), said(0, "x")])
    name = lab.variant("b", [said(0, "x"), said(1, "x"), said(2, "y")])
    lab.evaluation("grade", name, [said(2, "good")])
    lines = list(iter_lines(summarize(lab.comparison).datasets[0]))
    assert [line.line_number for line in lines] == [0, 1, 2]
    assert lines[1].cells[0].line is None
    assert lines[2].cells[1].evaluations["grade"].outputs == {"answer": "good"}
    assert [line.disagree for line in lines] == [False, True, True]


def test_failed_lines_come_first_then_disagreement_then_the_rest(lab: Lab) -> None:
    lab.variant("a", [said(n, "x") for n in range(6)])
    lab.variant("b", [said(n, "y" if n == 3 else "x") if n != 4 else lost(n) for n in range(6)])
    table = summarize(lab.comparison).datasets[0]
    assert choose_numbers(table, 3) == {4, 3, 0}
    choice = choose_lines(list(iter_lines(table)))
    assert [line.line_number for line in choice.lines] == [4, 3, 0, 1, 2, 5]
    assert choice.totals == {"failed": 1, "disagree": 1, "same": 4}


def test_an_evaluators_disagreement_and_failure_count(lab: Lab) -> None:
    for variant, grade in (("a", "good"), ("b", "bad")):
        name = lab.variant(variant, [said(0, "x"), said(1, "x")])
        lab.evaluation("grade", name, [said(0, grade), lost(1)])
    table = summarize(lab.comparison).datasets[0]
    choice = choose_lines(list(iter_lines(table)))
    assert [(line.line_number, line.kind) for line in choice.lines] == [(1, "failed"), (0, "disagree")]
    failures = Failures()
    for line in iter_lines(table):
        failures.add(line)
    assert [(item.evaluator, item.count, item.line_numbers) for item in failures.most_first()] == [
        ("grade", 1, [1])
    ] * 2


def test_a_lone_variant_never_disagrees_and_nan_equals_itself(lab: Lab) -> None:
    lab.variant("a", [said(0, float("nan"))])
    assert [line.kind for line in iter_lines(summarize(lab.comparison).datasets[0])] == ["same"]
    lab.variant("b", [said(0, float("nan"))])
    assert [line.kind for line in iter_lines(summarize(lab.comparison).datasets[0])] == ["same"]


def test_the_words_that_changed_are_marked() -> None:
    texts = ("send it to the billing team today", "send it to the orders team today")
    first, second = fields_side_by_side([said(0, text) for text in texts])
    assert [part.text for part in second[0].segments if part.changed] == ["orders"]
    assert first[0].differs
    assert "".join(part.text for part in second[0].segments) == texts[1]


def test_long_text_has_a_preview_and_huge_text_is_cut() -> None:
    ((field,),) = fields_side_by_side([said(0, "x" * 12_000)])
    assert field.preview is not None
    assert (len(field.preview), field.letters, field.cut) == (280, 12_000, 2_000)
