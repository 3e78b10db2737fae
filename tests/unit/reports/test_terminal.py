"""The comparison in a terminal of 80 columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from evidence_helper import add_version, evidence_of
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
    assert "[red]a" in text
    assert "★ 0.750" in text
    assert "★ 0.500" not in text
    assert "Simulated" not in text


@pytest.mark.parametrize("name", ["a", "a_variant_with_a_name_longer_than_the_column"])
def test_it_fits_and_says_where_the_rest_is(lab: Lab, name: str) -> None:
    add(lab, name, Usage(1, 1, 1, 1), **{f"metric_number_{place}": 12345.678 for place in range(9)})
    text = shown(lab)
    assert max(map(len, text.splitlines())) <= 80
    assert "more metrics in report.html and metrics.csv" in text
    assert "Simulated model" in text
    assert "…" not in text


def with_evidence(lab: Lab, *variants: str) -> str:
    for variant in variants:
        add_version(lab, variant)
    evidence = evidence_of(*(f"classify={variant}" for variant in variants))
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(comparison_table(summarize(lab.comparison), evidence))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_first_metric_has_its_interval_and_the_change(lab: Lab) -> None:
    text = with_evidence(lab, "b", "a")
    first, second = (line.split() for line in text.splitlines() if line.startswith("  classify="))
    assert first[:6] == ["classify=b", "★", "0.900", "baseline", "[0.800,", "1.000]"]
    assert second[:6] == ["classify=a", "0.800", "▼", "\N{MINUS SIGN}0.100", "[0.700,", "0.900]"]
    assert "▲ better, ▼ worse, ≈ undecided against classify=b." in text


def test_a_long_name_is_worth_more_than_the_interval(lab: Lab) -> None:
    text = with_evidence(lab, "a_name_that_needs_some_room", "b")
    assert "classify=a_name_that_needs_some_" in text
    assert "▼ \N{MINUS SIGN}0.100" in text
    assert "[0.700, 0.900]" not in text


def test_many_versions_with_long_names_stay_readable(lab: Lab) -> None:
    names = [f"a_name_of_a_prompt_that_differs_at_its_end_{place:02d}" for place in range(30)]
    text = with_evidence(lab, *names)
    assert max(map(len, text.splitlines())) <= 80
    joined = "".join(line[2:34].strip() for line in text.splitlines())
    assert all(name in joined for name in names)
    assert all(f"0.{digit}00" in text for digit in (7, 8, 9))


def test_of_a_huge_name_the_end_stays(lab: Lab) -> None:
    name = add_version(lab, "x")
    lab.variants[name] = {f"node_{place}": "x" * 40 for place in range(9)} | {"last": "the_end"}
    text = shown(lab)
    joined = "".join(line[2:34].strip() for line in text.splitlines())
    assert "…" in joined
    assert "last=the_end" in joined
    assert len(text.splitlines()) < 20


def test_more_versions_than_a_screen_has_are_counted(lab: Lab) -> None:
    assert "10 more versions in report.html and metrics.csv." in with_evidence(lab, *(f"v{n}" for n in range(50)))
