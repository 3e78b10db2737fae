"""The comparison in a terminal of 80 columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from flowyard.records import LineResult, Usage
from flowyard.reports import comparison_table, summarize

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab


def shown(lab: Lab) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(comparison_table(summarize(lab.comparison)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def add(lab: Lab, variant: str, usage: Usage, **metrics: float) -> None:
    name = lab.variant(variant, [LineResult(0, "completed", {}, {}, duration_s=0.1)], usage=usage)
    lab.evaluation("grade", name, [], **metrics)


def test_the_best_has_a_star_and_markup_is_text(lab: Lab) -> None:
    add(lab, "[red]a", Usage(), accuracy=0.5)
    add(lab, "b", Usage(), accuracy=0.75)
    text = shown(lab)
    assert "classify=[red]a" in text
    assert "★ 0.750" in text
    assert "★ 0.500" not in text
    assert "Simulated" not in text


@pytest.mark.parametrize("name", ["a", "a_variant_with_a_name_that_is_much_longer_than_the_column_for_it"])
def test_it_fits_and_says_where_the_rest_is(lab: Lab, name: str) -> None:
    add(lab, name, Usage(1, 1, 1, 1), **{f"metric_number_{place}": 12345.678 for place in range(9)})
    text = shown(lab)
    assert max(map(len, text.splitlines())) <= 80
    assert "more metrics in report.html and metrics.csv" in text
    assert "Simulated model" in text
    assert "…" not in text
