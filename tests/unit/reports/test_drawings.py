"""What the page draws: fronts, histograms, heat maps, confusion matrices and the order of a leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from evidence_lab import evidence
from hypothesis import given
from hypothesis import strategies as st

from flowyard.decisions.model import Evidence
from flowyard.records import LineResult
from flowyard.reports import summarize
from flowyard.reports.confusion import LabelPairs, given_matrices
from flowyard.reports.distributions import histogram
from flowyard.reports.heat_map import heat_maps
from flowyard.reports.leaderboard import rankings
from flowyard.reports.lines import iter_lines
from flowyard.reports.scatter import Point, pareto_front, trade_offs
from flowyard.reports.values import p_text, signed_text
from flowyard.reports.verdict import ruling

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

NUMBER = st.floats(0, 1, allow_nan=False)


def four_variants(lab: Lab) -> list[str]:
    for place, variant in enumerate("abcd"):
        lab.variant(variant, [LineResult(0, "completed", {}, {"x": variant}, duration_s=0.1 + place / 10)])
    return [row.label for row in summarize(lab.comparison).rows]


def point(letter: str, quality: float, price: float) -> Point:
    return Point(letter, None, 0, quality, price)  # type: ignore[arg-type]


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=12), st.booleans())
def test_no_point_of_the_front_is_beaten_and_every_other_is(pairs: list[tuple[float, float]], higher: bool) -> None:
    points = [point(str(place), *pair) for place, pair in enumerate(pairs)]
    front = pareto_front(points, higher=higher)
    sign = 1 if higher else -1

    def beaten(one: Point) -> bool:
        as_good = [p for p in points if sign * p.quality >= sign * one.quality and p.price <= one.price]
        return any((p.quality, p.price) != (one.quality, one.price) for p in as_good)

    assert front
    assert {p.letter for p in front} == {p.letter for p in points if not beaten(p)}
    assert [p.price for p in front] == sorted(p.price for p in front)


@given(st.lists(NUMBER, max_size=50))
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    assert sum(histogram(values, 0, 1)) == len(values)
    assert histogram([0, 1], 0, 1, bins=2) == [1, 1]
    assert sum(histogram([3, 3], 3, 3)) == 2


def test_trade_offs_say_who_is_on_the_front(lab: Lab) -> None:
    labels = four_variants(lab)
    found = trade_offs(summarize(lab.comparison), evidence(labels, ["tickets"]))
    assert [chart.title for chart in found] == ["accuracy against median time of a line · tickets"]
    assert str(found[0].svg).count("on the Pareto front") == 4
    assert "classify=a: 0.700 at 100 ms" in str(found[0].svg)


def test_the_best_version_stands_first_and_the_baseline_is_named(lab: Lab) -> None:
    labels = four_variants(lab)
    first, grade = rankings(summarize(lab.comparison), evidence(labels, ["tickets"]))
    assert [each.row.label for each in first.standings] == labels[::-1]
    assert [each.row.label for each in grade.standings] == labels  # lower is better
    assert [each.is_baseline for each in first.standings] == [False, False, False, True]
    assert first.scores[3].difference is None
    assert [each.best for each in first.scores] == [True, False, False, False]
    assert len(first.drawings) == 4
    assert first.confidence == "95 % interval"
    assert first.methods == ("Wilson", "McNemar mid-p")
    assert first.main
    assert (first.agreements, grade.agreements) == ((), ())


def test_a_heat_map_shades_by_what_is_better(lab: Lab) -> None:
    labels = four_variants(lab)
    (found,) = heat_maps(summarize(lab.comparison), evidence(labels, ["tickets"]))
    assert (found.column, found.values) == ("difficulty", ("easy", "hard"))
    assert [cell[1] for cell in found.cells[0] if cell] == [6, 4]
    assert found.cells[3][1] is not None
    assert found.cells[3][1][0].lines == 40
    assert heat_maps(summarize(lab.comparison), None) == ()


def test_rare_values_of_a_column_are_left_out(lab: Lab) -> None:
    labels = four_variants(lab)
    (found,) = heat_maps(summarize(lab.comparison), evidence(labels, ["tickets"], values=[str(n) for n in range(20)]))
    assert (len(found.values), found.left_out) == (16, 4)


def pairs_of(lab: Lab, pairs: list[tuple[Any, Any]], mapping: dict[str, str] | None = None) -> list[Any]:
    name = lab.variant("a", [LineResult(n, "completed", {}, {"label": str(pair[1])}) for n, pair in enumerate(pairs)])
    graded = [LineResult(n, "completed", {"truth": a, "guess": b}, {}) for n, (a, b) in enumerate(pairs)]
    run = lab._run("a-grade", graded, role="evaluation", base_run=name, column_mapping=mapping or MAPPING)
    lab.evaluations[run.name] = ("grade", name)
    table = summarize(lab.comparison).datasets[0]
    found = LabelPairs(table)
    for line in iter_lines(table):
        found.add(line)
    return found.matrices()


MAPPING = {"truth": "${data.category}", "guess": "${run.outputs.label}"}


def test_labels_and_predictions_are_counted(lab: Lab) -> None:
    (found,) = pairs_of(lab, [("a", "a"), ("a", "b"), ("b", "b"), ("b", "c")])
    assert found.labels == ("a", "b", "c")
    assert found.counts == ((1, 1, 0), (0, 1, 1), (0, 0, 0))
    assert (found.right, found.total, found.most) == (2, 4, 1)
    assert found.title == "grade: truth and guess"


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "b"), ("a", "b")],  # nothing in common
        [("x" * 81, "a"), ("a", "a")],  # a text, not a label
        [(str(n), str(n)) for n in range(21)],  # too many
        [({"a": 1}, "a"), ("a", "a")],
        [("a", "a")],
    ],
)
def test_what_is_no_label_is_not_counted(lab: Lab, pairs: list[tuple[Any, Any]]) -> None:
    assert pairs_of(lab, pairs) == []


def test_only_data_beside_outputs_is_compared(lab: Lab) -> None:
    both = {"truth": "${data.category}", "guess": "${data.other}"}
    assert pairs_of(lab, [("a", "a"), ("b", "a")], both) == []


@pytest.mark.parametrize(
    ("metric", "counts"),
    [
        ({"labels": ["a", "b"], "counts": [[1, 2], [0, 3]]}, ((1, 2), (0, 3))),
        ({"labels": ["a", "b"], "confusion_matrix": [[1, 2], [0, 3]]}, ((1, 2), (0, 3))),
        ({"a": {"a": 1, "b": 2}, "b": {"b": 3}}, ((1, 2), (0, 3))),
        ({"labels": ["a", "b"], "counts": [[1], [0, 3]]}, None),
        ({"labels": ["a", "b"], "counts": [[1, True], [0, 3]]}, None),
        ({"a": {"a": "x", "b": 1}}, None),
        ({}, None),
        (0.5, None),
    ],
)
def test_matrices_that_an_evaluator_gives(lab: Lab, metric: Any, counts: Any) -> None:
    name = lab.variant("a", [LineResult(0, "completed", {}, {})])
    lab.evaluation("report", name, [], matrix=metric)
    found = given_matrices(summarize(lab.comparison).datasets[0])
    assert [each.counts for each in found] == ([] if counts is None else [counts])


def test_the_ruling_names_the_worst_gates_first() -> None:
    found = ruling(evidence(["a"], ["tickets"]))
    assert found is not None
    assert found.counts == "3 gates: 1 failed, 1 inconclusive, 1 passed"
    assert [gate.verdict for gate in found.reasons] == ["fail", "inconclusive"]
    assert ruling(None) is None
    assert ruling(Evidence((), (), (), ())) is None


def test_differences_and_chances_as_text() -> None:
    assert [signed_text(value) for value in (0.0312, -0.5, 0.0)] == ["+0.031", "\N{MINUS SIGN}0.500", "0.000"]
    assert [p_text(value) for value in (0.0004, 0.0312, 1.0)] == ["p < 0.001", "p = 0.031", "p = 1.000"]
