"""The page: whatever the data holds stays text, and the page asks nothing of the network."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from evidence_lab import evidence

from flowyard.decisions.model import Evidence
from flowyard.records import ErrorRecord, LineResult, NodeResult, Usage
from flowyard.reports import MAIN_FILES, panels, summarize, write_reports
from flowyard.reports.html import render_page

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028\"'><svg onload=alert(1)>"


class Page(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_block = tag == "script" and dict(attrs).get("type") == "application/octet-stream"
        self.tags.append(("block" if is_block else tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def hostile_run(lab: Lab, variant: str, *, simulated: int = 0) -> None:
    usage = Usage(2, 10, 5, simulated)
    lines = [
        LineResult(0, "completed", {HOSTILE: HOSTILE}, {HOSTILE: f"{variant} {HOSTILE}"}, duration_s=0.2),
        LineResult(1, "failed", {HOSTILE: "x"}, {}, ErrorRecord(HOSTILE, HOSTILE, HOSTILE, HOSTILE)),
    ]
    name = lab.variant(variant, lines, dataset=HOSTILE, usage=usage, errors=(ErrorRecord(HOSTILE, HOSTILE),))
    lab.variants[name] = {HOSTILE: f"{variant}{HOSTILE}"}
    graded = [LineResult(0, "completed", {}, {HOSTILE: HOSTILE + variant})]
    lab.evaluation(HOSTILE, name, graded, **{HOSTILE: 0.5, "text": HOSTILE})


def render(lab: Lab, folder: Path) -> str:
    return write_reports(lab.experiment, None, folder, ["html"])["html"][0].read_text(encoding="utf-8")


def hostile_evidence(lab: Lab) -> Evidence:
    """Every text of it is an attack."""
    labels = [row.label for row in summarize(lab.comparison).rows]
    made = evidence(labels, [HOSTILE], metric=HOSTILE, column=HOSTILE, values=[HOSTILE, "b"])
    gates = tuple(
        replace(gate, gate=HOSTILE, reason=HOSTILE, slice={HOSTILE: HOSTILE}, where=HOSTILE) for gate in made.gates
    )
    estimates = tuple(replace(each, metric=replace(each.metric, meaning=HOSTILE)) for each in made.estimates)
    return replace(
        made, gates=gates, estimates=estimates, agreements=(HOSTILE,), warnings=(HOSTILE,), pareto={HOSTILE: (HOSTILE,)}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("tested", [False, True])
def test_hostile_text_stays_text(lab: Lab, tested: bool) -> None:
    for variant in ("a", "b"):
        hostile_run(lab, variant)
    source = render_page(lab.comparison, summarize(lab.comparison), hostile_evidence(lab) if tested else None)
    page = Page(source)
    assert (page.count("script"), page.count("style"), page.count("img")) == (1, 1, 0)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert page.text.count("<script>alert(1)</script>") > (60 if tested else 20)


def test_nothing_is_loaded(lab: Lab, folder: Path) -> None:
    hostile_run(lab, "a")
    page = Page(render(lab, folder))
    loading = [
        (tag, value)
        for tag, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "srcset"} and not (value or "").startswith("#")
    ]
    assert loading == []
    policies = [dict(attributes)["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert [str(policy).split(";")[0] for policy in policies] == ["default-src 'none'"]


def test_a_simulated_model_is_announced(lab: Lab, folder: Path) -> None:
    hostile_run(lab, "a", simulated=1)
    text = Page(render(lab, folder)).text
    assert "Simulated model:" in text
    assert "1 of 2 model calls were answered by a simulator" in text


def test_a_real_model_is_not(lab: Lab, folder: Path) -> None:
    hostile_run(lab, "a")
    assert "Simulated" not in Page(render(lab, folder)).text


def test_lines_left_out_are_counted(lab: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "MOST_LINES", 3)
    monkeypatch.setattr(panels, "MOST_OPEN_LINES", 4)
    lab.variant("a", [LineResult(number, "completed", {}, {"x": number}) for number in range(5)])
    page = Page(render(lab, folder))
    assert page.count("article") == 0
    assert "3 of 5 lines are here" in page.text
    assert "2 lines not shown here are in details.csv" in page.text


def test_few_lines_can_be_read_without_the_script(lab: Lab, folder: Path) -> None:
    node = NodeResult("classify", "completed", "said", prompts=("user:\nWhich one is it?",))
    lab.variant(
        "a", [LineResult(number, "completed", {}, {"x": f"answer {number}"}, nodes=(node,)) for number in range(5)]
    )
    page = Page(render(lab, folder))
    assert page.count("article") == 5
    assert all(f"answer {number}" in page.text for number in range(5))
    assert "Which one is it?" not in page.text  # prompts are long; they are in what the script unpacks


def test_the_page_says_its_size(lab: Lab, folder: Path) -> None:
    lab.variant("a", [LineResult(0, "completed", {}, {"x": '<span id="size"></span>'})])
    source = render(lab, folder)
    assert re.search(rf"This file: {len(source.encode()) // 1000} kB, with 1 line inside", Page(source).text)


def test_verdict_intervals_and_words_are_told(lab: Lab) -> None:
    for variant in ("a", "b", "c", "d"):
        lab.variant(variant, [LineResult(0, "completed", {}, {"x": variant})])
    labels = [row.label for row in summarize(lab.comparison).rows]
    found = evidence(labels, ["tickets"])
    text = " ".join(Page(render_page(lab.comparison, summarize(lab.comparison), found)).text.split())
    assert "It must not ship 3 gates: 1 failed, 1 inconclusive, 1 passed." in text
    assert "0.750[0.700, 0.800]" in text
    for words in ("▲ better +0.050 [0.010, 0.090]", "≈ unclear +0.050", "▼ worse +0.050", "p < 0.001, adjusted"):
        assert words in text
    assert "won 18, lost 6 of 100 lines" in text
    assert "this one needs about 1,200 lines" in text
    assert "Cohen's κ 0.71" in text
    assert "not tested for significance" not in text


def test_what_judges_and_people_agree_on_stands_beside_its_metric(lab: Lab) -> None:
    for variant in ("a", "b"):
        lab.variant(variant, [LineResult(0, "completed", {}, {"x": variant})])
    summary = summarize(lab.comparison)
    said = ("accuracy_grade on tickets: kappa 0.61.", "accuracy on tickets: kappa 0.71.", "Something of neither.")
    found = replace(evidence(list(summary.labels), ["tickets"]), agreements=said)
    cards = render_page(lab.comparison, summary, found).split('<div class="ranking card">')[1:]
    assert ["0.71" in card for card in cards] == [True, False]
    assert ["0.61" in card for card in cards] == [False, True]
    assert cards[1].index("Something of neither") > cards[1].index("0.61")


def test_a_difference_that_was_not_tested_is_not_called_unclear(lab: Lab) -> None:
    for variant in ("a", "b"):
        lab.variant(variant, [LineResult(0, "completed", {}, {"x": variant})])
    summary = summarize(lab.comparison)
    found = evidence(list(summary.labels), ["tickets"])
    untested = [replace(each, p_value=None, p_adjusted=None, winner="unclear") for each in found.differences]
    text = Page(render_page(lab.comparison, summary, replace(found, differences=tuple(untested)))).text
    assert "is not tested against classify=a on accuracy" in " ".join(text.split())
    assert "≈" not in text
    none = Page(render_page(lab.comparison, summary, replace(found, differences=()))).text
    assert "not tested for significance" not in none


@pytest.mark.parametrize("variants", [0, 1, 8])
def test_any_number_of_variants_is_drawn(lab: Lab, folder: Path, variants: int) -> None:
    for place in range(variants):
        name = lab.variant(f"v{place}", [LineResult(0, "completed", {}, {"x": place}, duration_s=0.1)])
        lab.evaluation("grade", name, [], accuracy=place / 10, nothing=None, odd=float("inf"))
    page = Page(render(lab, folder))
    assert page.text.count("Differences are not tested for significance.") == (variants > 1)
    assert page.count("svg") == {0: 0, 1: 2, 8: 3}[variants]


def test_the_files_come_in_order_and_no_part_is_left(lab: Lab, folder: Path) -> None:
    hostile_run(lab, "a")
    files = write_reports(lab.experiment, None, folder)
    names = [path.name for paths in files.values() for path in paths]
    assert names == ["report.html", "report.junit.xml", "report.md", "report.json", "details.csv", "metrics.csv"]
    assert {name: paths[0].name for name, paths in files.items()} == MAIN_FILES
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
