"""Each state of a test of two versions with its exit code, and the page and the text that people get."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ab_runs import POLICY, Ab, running, write_records

BETTER = {"a": (900, 900), "b": (160, 40)}


@pytest.fixture
def ab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ab:
    return running(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [("min_duration: 1h", "min_duration"), ("min_sample: 500", "min_sample"), ("", "primary_better")],
)
def test_a_better_treatment_waits_for_its_time_and_its_sample(ab: Ab, tmp_path: Path, changed: str, rule: str):
    key = changed.partition(":")[0]
    lines = [changed if key and line.startswith(f"{key}:") else line for line in POLICY.splitlines()]
    (tmp_path / "ab.yaml").write_text("\n".join(lines).replace("decide: approval", "decide: auto"))
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, BETTER)
    code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl")
    assert (code, found["rule"], found["primary"]["verdict"]) == (0, rule, "better")
    assert found["state"] == ("promote" if rule == "primary_better" else "continue")
    assert found["moved_to"] == (100 if rule == "primary_better" else 50)


def test_a_guardrail_waits_for_neither(ab: Ab, tmp_path: Path):
    waiting = POLICY.replace("min_duration: 0s", "min_duration: 1d").replace("min_sample: 50", "min_sample: 5000")
    (tmp_path / "ab.yaml").write_text(waiting)
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (300, 60)})
    write_records(tmp_path / "r.jsonl", since, {"b": (40, 0)}, status=500)
    assert ab("ab", "status", ".", "--evidence", "r.jsonl")[0] == 3
    code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl")
    assert (code, found["state"], found["moved_to"]) == (3, "rollback", 0)


def test_a_person_has_to_decide_when_nobody_knows_the_split(ab: Ab, tmp_path: Path):
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (54, 36), "b": (7, 3)}, epoch=7)
    code, found, _ = ab("ab", "decide", ".", "--evidence", "r.jsonl")
    assert (code, found["state"], found["rule"]) == (4, "needs_human", "unknown_split")
    assert (found["ramp"]["share"], found["moved_to"]) == (10, None), "the split stays as it is"


def test_numbers_with_bounds_are_decided_by_bets(ab: Ab, tmp_path: Path):
    primary = "{metric: field, field: judge.score, bounds: [1, 5], expected: 3, smallest: 0.4, spread: 1.4}"
    lines = [f"primary: {primary}" if line.startswith("primary:") else line for line in POLICY.splitlines()]
    (tmp_path / "ab.yaml").write_text("\n".join(lines))
    started = ab("ab", "start", ".")[1]
    assert started["plan"][1]["units"] > 100
    since = started["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, BETTER)
    rated = (tmp_path / "r.jsonl").read_text().splitlines()
    with (tmp_path / "r.jsonl").open("a") as file:
        for record in (json.loads(line) for line in rated if '"feedback"' in line):
            score = 4 if record["feedback"]["rating"] == "up" else 2
            file.write(json.dumps({**record, "kind": "judge", "score": score}) + "\n")
    code, found, _ = ab("ab", "status", ".", "--evidence", "r.jsonl")
    assert (code, found["state"], found["primary"]["method"]) == (0, "promote", "bounded_scores")
    low, high = found["primary"]["interval"]
    assert 0 < low < found["primary"]["difference"] < high < 4
    assert found["primary"]["difference"] == pytest.approx(0.6)
    assert found["forecast"]["units_left"] == 0


def test_the_plan_says_days_once_there_is_traffic(ab: Ab, tmp_path: Path):
    code, planned, _ = ab("ab", "start", ".", "--plan")
    assert (code, planned["units_per_day"], planned["plan"][0]["days"]) == (0, None, None)
    (tmp_path / "records").mkdir()
    before = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    write_records(tmp_path / "records" / "r.jsonl", before, {"a": (300, 200)})
    assert ab("monitor", "collect", "records")[0] == 0
    planned = ab("ab", "start", ".", "--plan")[1]
    assert planned["units_per_day"] == pytest.approx(250, rel=0.01)
    assert planned["plan"][0]["days"] == pytest.approx(planned["plan"][0]["units"] / planned["units_per_day"])
    assert "units with an outcome a day" in ab("ab", "start", ".", "--plan", as_json=False)[1]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_text_fits_the_terminal(ab: Ab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str):
    monkeypatch.setenv("COLUMNS", columns)
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (540, 360), "b": (60, 40)})
    for words in (("status", ".", "--evidence", "r.jsonl"), ("start", ".", "--plan")):
        text = ab("ab", *words, as_json=False)[1]
        assert max(map(len, text.splitlines())) <= int(columns)


class Elements(HTMLParser):
    """The names of all elements and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names += [tag, *(name for name, _ in attrs)]


def test_the_page_shows_its_course_and_runs_nothing(ab: Ab, tmp_path: Path):
    hostile = "<script>alert(1)</script>"
    (tmp_path / "ab.yaml").write_text(POLICY.replace("treatment: b", f"treatment: '{hostile}'"))
    since = ab("ab", "start", ".")[1]["ramp"]["started_at"]
    write_records(tmp_path / "r.jsonl", since, {"a": (1080, 540), hostile: (120, 60)})
    later = (datetime.fromisoformat(since) + timedelta(minutes=20)).isoformat()
    write_records(tmp_path / "r.jsonl", later, {"a": (600, 300), hostile: (65, 35)}, epoch=2)
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write(json.dumps({"kind": "epoch", "epoch": 2, "at": later, "weights": {"a": 90, hostile: 10}}) + "\n")
    code, text, _ = ab("ab", "status", ".", "--evidence", "r.jsonl", "--html", "out/page.html", as_json=False)
    assert code == 0
    assert "Wrote out/page.html" in text
    page = (tmp_path / "out" / "page.html").read_text("utf-8")
    assert hostile not in page
    names = Elements(page).names
    assert {"script", "onload", "onerror", "iframe", "link", "img"} & set(names) == set()
    assert names.count("svg") == 3, "effect, share and one guardrail"
    assert {"polygon", "polyline"} <= set(names), "a confidence sequence, and lines"
    for said in ("Effect over time", "Share of the treatment", "Guardrail error_rate", "no_difference_yet"):
        assert said in page


@pytest.mark.parametrize("every", ["0", "-1s", "1x", "31d", "nan"])
def test_what_is_no_time_between_two_looks_is_refused(ab: Ab, every: str):
    assert ab("ab", "start", ".")[0] == 0
    code, _, said = ab("ab", "decide", ".", "--every", every)
    assert code == 2
    assert "--every" in said


def test_records_come_from_files_or_from_the_store(ab: Ab):
    assert ab("ab", "start", ".")[0] == 0
    code, _, said = ab("ab", "decide", ".", "--evidence", "r.jsonl", "--collect", "records")
    assert code == 2
    assert "--collect" in said
