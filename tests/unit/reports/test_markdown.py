"""The Markdown report: what it says first, what it leaves out, and that nothing in it comes out as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from evidence_helper import add_version, difference, evidence_of, gate
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flowyard.decisions.model import Evidence
from flowyard.records import ErrorRecord, LineResult
from flowyard.reports import summarize
from flowyard.reports.markdown import MOST_CHARACTERS, render_markdown
from flowyard.reports.markdown_text import literal
from flowyard.reports.values import one_line

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PIECES = [
    "@octocat",
    "#12",
    "|",
    "`",
    "**",
    "<b>",
    "&amp;",
    "[a](b)",
    "![",
    "www.a.b",
    "http://a",
    "_",
    "~~",
    "\\",
    "\n",
]
TEXTS = st.text() | st.lists(st.sampled_from([*PIECES, " ", "a", "1.", "-", "$x$", ":tada:"]), max_size=8).map("".join)


def rendered(lab: Lab, evidence: Evidence | None = None, **more: int) -> str:
    return render_markdown(lab.comparison, summarize(lab.comparison), evidence, **more)


def cells_of(text: str) -> list[list[str]]:
    """The texts of a parsed table's cells, row by row; fails when a cell holds anything but text."""
    rows: list[list[str]] = []
    for token in MARKDOWN.parse(text):
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline" and rows:
            assert {child.type for child in token.children or []} <= {"text", "text_special"}, token.children
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


@given(TEXTS)
def test_a_cell_is_shown_as_it_is(text: str) -> None:
    header, row = cells_of(f"| a | b |\n| --- | --- |\n| {literal(text)} | end |\n")
    shown = one_line(text.encode("utf-8", "backslashreplace").decode(), most=200)
    assert header == ["a", "b"]
    assert [cell.replace("\u200b", "") for cell in row] == [shown.strip(), "end"]


@given(TEXTS)
def test_a_line_is_shown_as_it_is(text: str) -> None:
    shown = one_line(text.encode("utf-8", "backslashreplace").decode(), most=200)
    types = [token.type for token in MARKDOWN.parse(literal(text))]
    assert types == (["paragraph_open", "inline", "paragraph_close"] if shown.strip() else [])


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("cc @octocat", "@octocat"),
        ("a@example.org", "@example"),
        ("see #12", "#12"),
        ("GH-12", "GH-12"),
        ("!12", "!12"),
        ("http://example.org", "http://"),
        ("www.example.org", "www."),
        (":tada:", ":tada:"),
    ],
)
def test_nobody_is_called_and_nothing_is_linked(text: str, parted: str) -> None:
    assert parted not in literal(text)
    assert literal(text).replace("\u200b", "") == text


def test_the_verdict_comes_first_and_failed_gates_before_others(lab: Lab) -> None:
    for variant in "ab":
        add_version(lab, variant)
    gates = [gate("pass", "tokens <= 9"), gate("inconclusive", "recall >= 0.5"), gate("fail", version="classify=b")]
    text = rendered(lab, evidence_of("classify=a", "classify=b", gates=gates, verdict="fail"))
    marker, title, *_ = text.splitlines()
    assert marker.startswith("<!-- flowyard: ")
    assert title == "## ❌ Failed: triage"
    assert "Of 3 gates: 1 passed, 1 failed, 1 are undecided." in text
    order = [text.index(each) for each in ("❌ fail", "⚠️ inconclusive |", "✅ pass")]
    assert order == sorted(order)
    assert text.index("### Gates") < text.index("### Versions")


def test_versions_have_intervals_and_the_difference_to_the_baseline(lab: Lab) -> None:
    for variant in "ba":
        add_version(lab, variant)
    text = rendered(lab, evidence_of("classify=a", "classify=b"))
    rows = [line for line in text.splitlines() if line.startswith("| classify=")]
    assert rows[0].startswith("| classify=a *(baseline)* | **0.900** [0.800, 1.000] |")
    assert "0.800 [0.700, 0.900]<br>▼ worse \N{MINUS SIGN}0.100 [-0.150, -0.050]" in rows[1]
    assert "In brackets: 95 % intervals. Below: difference to the baseline classify=a." in text
    assert "&#36;0.0030" in rows[0]


def test_failed_lines_are_counted_by_kind(lab: Lab) -> None:
    add_version(lab, "a", failed=7)
    text = rendered(lab)
    assert "| **7** of 10 |" in text
    assert "| 7 | classify=a · classify | ProviderError: The model is too busy. | 3, 4, 5, 6, 7 … |" in text


def test_the_marker_stays_the_same_and_cannot_be_left(lab: Lab) -> None:
    add_version(lab, "a")
    first = rendered(lab).splitlines()[0]
    assert rendered(lab, evidence_of("classify=a", verdict="pass")).splitlines()[0] == first
    assert first.count("--") == 2


def test_a_long_report_says_what_it_left_out(lab: Lab) -> None:
    for variant in range(40):
        add_version(lab, f"v{variant}", good=1)
    texts = [f"accuracy >= 0.{number} " + "@x| 😀" * 40 for number in range(400)]
    evidence = evidence_of(*(f"classify=v{n}" for n in range(40)), gates=[gate("fail", text) for text in texts])
    text = rendered(lab, evidence)
    assert len(text.encode("utf-16-le")) // 2 <= MOST_CHARACTERS < 65_536
    assert "more gates: see report.html" in text
    assert "## " in text.splitlines()[1]


@pytest.mark.parametrize("most", [0, 50, 300, 1_000, 3_000])
def test_no_room_is_exceeded(lab: Lab, most: int) -> None:
    for variant in range(30):
        add_version(lab, f"v{variant}", good=1, failed=1)
    evidence = evidence_of(*(f"classify=v{n}" for n in range(30)), gates=[gate("fail")] * 30, verdict="fail")
    assert len(rendered(lab, evidence, most=most)) <= most


def test_many_versions_are_cut_at_the_end_of_the_ranking(lab: Lab) -> None:
    for variant in range(30):
        add_version(lab, f"v{variant}", good=1)
    text = rendered(lab, evidence_of(*(f"classify=v{n}" for n in range(30))))
    assert sum(line.startswith("| classify=v") for line in text.splitlines()) == 25
    assert "… and 5 more versions: see report.html." in text


def test_names_of_all_kinds_make_no_markup(lab: Lab) -> None:
    hostile = "<img src=x onerror=alert(1)> | @octocat **b** [l](http://x)\n# h `c`"
    error = ErrorRecord(hostile, hostile, hostile)
    name = lab.variant("a", [LineResult(0, "failed", {}, {}, error)], dataset=hostile)
    lab.variants[name] = {hostile: hostile}
    lab.evaluation(hostile, name, [], **{hostile: 0.5})
    evidence = evidence_of(hostile, gates=[gate("fail", hostile, version=hostile, dataset=hostile)], verdict="fail")
    text = rendered(lab, evidence)
    tokens = [child.type for token in MARKDOWN.parse(text) for child in token.children or [token]]
    assert "link_open" not in tokens
    assert "image" not in tokens
    assert "code_inline" not in tokens
    assert "@octocat" not in text
    assert "<img" not in text
    assert "http://" not in text


def test_a_slice_and_an_undecided_difference_are_named(lab: Lab) -> None:
    for variant in "ab":
        add_version(lab, variant)
    found = evidence_of("classify=a", "classify=b", gates=[gate("pass", slice={"category": "hard"})])
    text = rendered(lab, Evidence(found.metrics, (), found.estimates, (difference("classify=b", 0.0, "unclear"),)))
    assert "≈ unclear 0.000 [-0.050, 0.050]" in text
    assert "| category=hard |" in rendered(lab, found)
