"""The page over all experiments: its rows, its order, two writers at once, and text that stays text."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from evidence_helper import add_version, evidence_of, gate
from hypothesis import given
from hypothesis import strategies as st

from flowyard.reports import summarize, write_reports
from flowyard.reports.index import write_index
from flowyard.reports.outcomes import Outcome, experiment_outcome, read_outcome, write_outcome
from flowyard.reports.sparkline import spark_letters, sparkline

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(1)">{{ 7 * 7 }}'


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str | None]:
        return [attributes.get("href") for tag, attributes in self.tags if tag == "a"]


def store(experiments: Path, name: str, key: str, **more: Any) -> Path:
    folder = experiments / re.sub(r"\W", "_", name) / key
    folder.mkdir(parents=True)
    write_outcome(Outcome(**{"name": name, "key": key, "created_at": f"2025-03-01T00:00:0{key}"} | more), folder)
    return folder


def test_executions_are_listed_newest_first_with_a_link_each(tmp_path: Path) -> None:
    for name, key in [("a", "1"), ("b b", "3"), ("a", "2")]:
        store(tmp_path, name, key, verdict="fail", metric="accuracy", value=0.25 * int(key), best="classify=x")
    page = Page(write_index(tmp_path))
    assert page.links()[-3:] == ["b_b/3/report.html", "a/2/report.html", "a/1/report.html"]
    assert page.text.count("✗ fail") == 2 + 3
    assert "2 experiments, 3 executions" in page.text
    assert [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"] == [
        "accuracy over time: 0.750",
        "accuracy over time: 0.250, 0.500",
    ]


def test_the_page_needs_nothing_and_allows_only_its_own_script(tmp_path: Path) -> None:
    store(tmp_path, HOSTILE, "1", env=HOSTILE, best=HOSTILE, metric=HOSTILE, value=0.5, dataset=HOSTILE)
    page = Page(write_index(tmp_path))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {"img", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
    policy = next(attributes["content"] for tag, attributes in page.tags if "content" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "{{ 7 * 7 }}" in page.text


def test_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    store(tmp_path, "good", "1")
    for key, text in [("2", "{"), ("3", "[]"), ("4", '{"name": 1}'), ("5", '{"name": "x", "key": "k", "verdict": []}')]:
        (store(tmp_path, "bad", key) / "outcome.json").write_text(text)
    page = Page(write_index(tmp_path))
    assert page.links()[-1:] == ["good/1/report.html"]
    assert "1 experiment, 1 execution;" in page.text


def test_without_experiments_it_says_so(tmp_path: Path) -> None:
    assert "No experiment has ended yet." in Page(write_index(tmp_path)).text


def test_none_is_lost_when_many_end_at_once(tmp_path: Path) -> None:
    count = 6
    together = threading.Barrier(count)

    def end(number: int) -> None:
        folder = tmp_path / "e" / str(number)
        folder.mkdir(parents=True)
        together.wait(timeout=60)
        write_outcome(Outcome("e", str(number), "2025"), folder)
        write_index(tmp_path)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(end, range(count)))
    page = Page(tmp_path / "index.html")
    assert {f"e/{number}/report.html" for number in range(count)} <= set(page.links())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".index.lock", "e", "index.html"]


def test_reports_in_their_own_folder_are_entered(lab: Lab, tmp_path: Path) -> None:
    add_version(lab, "a", failed=1)
    add_version(lab, "b")
    record = lab.experiment
    evidence = evidence_of("classify=a", "classify=b", gates=[gate("pass")], verdict="pass")
    write_reports(record, evidence, tmp_path / "elsewhere")
    assert not (tmp_path / "index.html").exists()
    own = replace(record, path=tmp_path / "t" / "k")
    write_reports(own, evidence, own.path)
    outcome = read_outcome(own.path)
    assert outcome == experiment_outcome(own, summarize(lab.comparison), evidence)
    assert outcome is not None
    assert (outcome.best, outcome.metric, outcome.value, outcome.verdict) == ("classify=a", "accuracy", 0.9, "pass")
    assert (outcome.low, outcome.high) == (pytest.approx(0.8), pytest.approx(1.0))
    assert (outcome.lines, outcome.failed, outcome.runs) == (7, 1, 2)
    assert "t/k/report.html" in Page(tmp_path / "index.html").links()
    assert json.loads((own.path / "outcome.json").read_text())["verdict"] == "pass"


@given(st.lists(st.floats()))
def test_a_line_stays_in_its_drawing(values: list[float]) -> None:
    line = sparkline(values)
    letters = spark_letters(values)
    if line is None:
        assert letters == ""
        return
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert all(0 <= x <= line.width and 0 <= y <= line.height for x, y in points)
    assert points[-1] == (line.x, line.y)
    assert len(letters) == len(points)
