"""The page: whatever the data holds stays text, and the page asks nothing of the network."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowyard.records import ErrorRecord, LineResult, Usage
from flowyard.reports import MAIN_FILES, write_reports
from flowyard.reports import html as html_module

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
        self.tags.append((tag, dict(attrs)))

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_hostile_text_stays_text(lab: Lab, folder: Path) -> None:
    for variant in ("a", "b"):
        hostile_run(lab, variant)
    page = Page(render(lab, folder))
    assert (page.count("script"), page.count("style"), page.count("img")) == (1, 1, 0)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "<script>alert(1)</script>" in page.text


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
    monkeypatch.setattr(html_module, "MOST_LINES", 3)
    lab.variant("a", [LineResult(number, "completed", {}, {"x": number}) for number in range(5)])
    page = Page(render(lab, folder))
    assert page.count("article") == 3
    assert "2 lines not shown here are in details.csv" in page.text


@pytest.mark.parametrize("variants", [0, 1, 8])
def test_any_number_of_variants_is_drawn(lab: Lab, folder: Path, variants: int) -> None:
    for place in range(variants):
        name = lab.variant(f"v{place}", [LineResult(0, "completed", {}, {"x": place}, duration_s=0.1)])
        lab.evaluation("grade", name, [], accuracy=place / 10, nothing=None, odd=float("inf"))
    page = Page(render(lab, folder))
    assert page.text.count("Differences are not tested for significance.") == (variants > 1)
    assert page.count("svg") == (2 if variants else 0)


def test_the_files_come_in_order_and_no_part_is_left(lab: Lab, folder: Path) -> None:
    hostile_run(lab, "a")
    files = write_reports(lab.experiment, None, folder)
    names = [path.name for paths in files.values() for path in paths]
    assert names == ["report.html", "report.junit.xml", "report.md", "report.json", "details.csv", "metrics.csv"]
    assert {name: paths[0].name for name, paths in files.items()} == MAIN_FILES
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
