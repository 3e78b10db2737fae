"""Lines of records, what feedback says, and files for review: whatever people send."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.production.datasets.review import read_reviewed, write_review
from flowyard.production.records.files import FileMark, iter_parts
from flowyard.production.records.model import (
    ExchangeRecord,
    ExposureRecord,
    FeedbackRecord,
    is_failed_status,
    parse_record,
)
from flowyard.production.records.opinion import Opinion, opinion_of

EXCHANGE = {
    "kind": "exchange",
    "at": "2026-03-01T10:00:00.250+02:00",
    "request_id": "r",
    "flow": "f",
    "status": 200,
    "latency_s": 1,
}
FEEDBACK = {"kind": "feedback", "at": "2026-03-01T10:00:00", "request_id": "r", "feedback": {"thumbs": "up"}}
EXPOSURE = {
    "kind": "exposure",
    "at": "2026-03-01T10:00:00Z",
    "request_id": "r",
    "experiment": "e",
    "unit": "u",
    "arm": "a",
    "epoch": 1,
    "status": 200,
}

patient = settings(deadline=None, derandomize=True, max_examples=60)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def line(record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


def test_records_are_typed_and_unknown_fields_left_alone():
    exchange = parse_record(line({**EXCHANGE, "new_field": [1]}))
    assert isinstance(exchange, ExchangeRecord)
    assert (exchange.at, exchange.latency_s) == (datetime(2026, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC), 1.0)
    assert (exchange.version, exchange.cost_usd, exchange.inputs, exchange.is_failed) == ("", 0.0, {}, False)
    feedback = parse_record(line(FEEDBACK))
    assert isinstance(feedback, FeedbackRecord)
    assert feedback.at.tzinfo is UTC
    exposure = parse_record(line(EXPOSURE))
    assert isinstance(exposure, ExposureRecord)
    assert (exposure.latency_s, exposure.mirror, exposure.chosen_by) == (None, False, "weights")
    assert parse_record(line({"kind": "of a later flowyard"})) is None


BROKEN = {
    b"": "no JSON",
    b"{": "no JSON",
    b"\xff": "no JSON",
    b"[1]": "no JSON object",
    b"{}": "no 'kind'",
    b'{"kind": 3}': "no 'kind'",
    b"[" * 100_000: "nested too deeply",
    line({**EXCHANGE, "status": "200"}): "'status' must be a whole number",
    line({**EXCHANGE, "status": True}): "'status' must be a whole number",
    line({**EXCHANGE, "status": 2**63}): "'status' must be a whole number",
    line({**EXCHANGE, "latency_s": None}): "'latency_s' must be a number",
    line({**EXCHANGE, "latency_s": float("nan")}): "'latency_s' must be a number",
    line({**EXCHANGE, "latency_s": -1}): "'latency_s' must be a number",
    line({**EXCHANGE, "latency_s": 10**400}): "'latency_s' must be a number",
    line({**EXCHANGE, "at": "yesterday"}): "'at' must be a time",
    line({**EXCHANGE, "at": "0001-01-01T00:00:00+14:00"}): "'at' must be a time",
    line({**EXCHANGE, "inputs": []}): "'inputs' must be an object",
    line({**EXPOSURE, "mirror": "no"}): "'mirror' must be true or false",
    line({**EXPOSURE, "arm": None}): "'arm' must be text",
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.items(), ids=list(BROKEN.values()))
def test_what_is_no_record_says_why(text: bytes, reason: str):
    with pytest.raises(ValueError, match=reason):
        parse_record(text)


@patient
@given(
    st.sampled_from([EXCHANGE, FEEDBACK, EXPOSURE]), st.dictionaries(st.text(max_size=8), JSON, max_size=3), st.data()
)
def test_any_line_is_a_record_or_says_why_not(record: dict[str, Any], more: dict[str, Any], data: st.DataObject):
    changed = {**record, **more, data.draw(st.sampled_from(sorted(record))): data.draw(JSON)}
    try:
        found = parse_record(line(changed))
    except ValueError:
        return
    assert found is None or json.loads(found.text).keys() == json.loads(line(changed)).keys()


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        *((status, False) for status in (200, 302, 401, 404, 499)),
        *((status, True) for status in (400, 408, 429, 500, 503)),
    ],
)
def test_failures_are_what_the_caller_did_not_do_wrong(status: int, failed: bool):
    assert is_failed_status(status) is failed


OPINIONS = [
    ({"feedback": "up"}, Opinion(True)),
    ({"feedback": {"thumbs": "down", "comment": "wrong"}}, Opinion(False, comment="wrong")),
    ({"thumbs_up": True}, Opinion()),
    ({"thumbs": "Thumbs_Up"}, Opinion(True)),
    ({"thumbs": "👎"}, Opinion(False)),
    ({"vote": -1}, Opinion(False)),
    ({"vote": "-1"}, Opinion(False)),
    ({"helpful": False, "rating": 5}, Opinion(False, 1.0)),
    ({"rating": 4}, Opinion(True, 0.75)),
    ({"stars": 3}, Opinion(None, 0.5)),
    ({"stars": 1}, Opinion(False, 0.0)),
    ({"rating": 9}, Opinion()),
    ({"rating": "good"}, Opinion(True)),
    ({"score": 0.4}, Opinion(False, 0.4)),
    ({"score": 80}, Opinion(None, 80.0)),
    ({"score": float("nan")}, Opinion()),
    ({"feedback": "it was slow"}, Opinion(comment="it was slow")),
    ({"label": {"a": 1}, "correction": "x"}, Opinion(label={"a": 1})),
    ({"feedback": "no answer", "correction": "42"}, Opinion(label="42", comment="no answer")),
    ({"feedback": None}, Opinion()),
    ({"feedback": [1]}, Opinion()),
    ({}, Opinion()),
]


@pytest.mark.parametrize(("said", "opinion"), OPINIONS, ids=[json.dumps(said) for said, _ in OPINIONS])
def test_what_feedback_says(said: dict[str, Any], opinion: Opinion):
    assert opinion_of(said) == opinion


@patient
@given(
    st.dictionaries(st.sampled_from(["feedback", "thumbs", "rating", "score", "label", "comment"]) | st.text(), JSON)
)
def test_whatever_feedback_says_is_an_opinion(said: dict[str, Any]):
    opinion = opinion_of(said)
    assert opinion.positive in (True, False, None)
    assert opinion.score is None or abs(opinion.score) < float("inf")


@patient
@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")), max_size=12), st.integers(1, 60))
def test_files_are_read_whole_in_parts_of_any_size(tmp_path_factory: Any, lines: list[bytes], part_bytes: int):
    path = tmp_path_factory.mktemp("parts") / "x.jsonl"
    path.write_bytes(b"".join(each + b"\n" for each in lines) + b"torn")
    with path.open("rb") as file:
        parts = list(iter_parts(path, file, FileMark("head"), part_bytes))
        assert sum(part.bytes for part in parts) == path.stat().st_size - 4
        assert sum(len(part.broken) for part in parts) == sum(bool(each.strip()) for each in lines)
        for part in parts:  # from each mark on, the rest follows
            rest = list(iter_parts(path, file, part.mark, part_bytes))
            assert part.mark.offset + sum(each.bytes for each in rest) == path.stat().st_size - 4
    if parts:
        assert parts[-1].mark.lines == len(lines)


CELLS = st.text(max_size=12) | st.sampled_from(
    ["=1+1", "'=1", "''", "+5", "-5", "5", "null", "NaN", "", " ", "@x", "\t=", "\r"]
)
VALUES = JSON.map(lambda value: json.loads(json.dumps(value).replace("NaN", "0").replace("Infinity", "0"))) | CELLS
LINES = st.lists(
    st.fixed_dictionaries(
        {f"inputs.{name}": VALUES for name in ("x", "=y")},
        optional={"inputs.z": VALUES, "outputs.answer": VALUES, "label": VALUES, "feedback": VALUES},
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@patient
@given(lines=LINES)
def test_a_review_gives_back_what_was_not_edited(tmp_path_factory: Any, ending: str, lines: list[dict[str, Any]]):
    path = tmp_path_factory.mktemp("review") / f"review.{ending}"
    write_review(path, lines)
    for before, after in zip(lines, read_reviewed(path), strict=True):
        assert {name: value for name, value in after.items() if value is not None or "puts." in name} == {
            name: value for name, value in before.items() if value is not None or "puts." in name
        }


@patient
@given(lines=LINES)
def test_no_cell_of_a_review_is_a_formula(tmp_path_factory: Any, lines: list[dict[str, Any]]):
    path = tmp_path_factory.mktemp("review") / "review.csv"
    write_review(path, lines)
    with path.open(encoding="utf-8", newline="") as file:
        for cells in csv.reader(file):
            for cell in cells:
                assert not cell.startswith(("=", "@", "\t", "\r", "+", "-")) or float(cell) is not None


def test_what_a_person_says_no_to_is_left_out(tmp_path: Path):
    path = tmp_path / "review.csv"
    write_review(path, [{"inputs.x": number, "label": None} for number in range(4)])
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["keep", "label", "inputs.x"]
    rows[1:] = [["no", "", "0"], ["", "right", "1"], ["N", "", "2"], ["yes", "7", "3"]]
    path.write_text("\ufeff" + "\n".join(",".join(row) for row in rows) + "\n")  # as spreadsheets write it
    assert read_reviewed(path) == [{"label": "right", "inputs.x": 1}, {"label": 7, "inputs.x": 3}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "keep,inputs.x\nmaybe,1\nyes,2,3\n",
            ["csv:2: 'keep' must be yes or no", "csv:3: it has 3 cells"],
        ),
        ("keep,label\nyes,1\n", ["it has no inputs"]),
        ("keep,inputs.x,extra\nyes,1,2\n", ["there is no column 'extra'"]),
        ("inputs.x,inputs.x\n1,2\n", ["two columns have one name"]),
    ],
)
def test_a_review_that_was_spoilt_names_its_lines(tmp_path: Path, text: str, said: list[str]):
    path = tmp_path / "review.csv"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        read_reviewed(path)
    assert all(each in str(raised.value) for each in said)
