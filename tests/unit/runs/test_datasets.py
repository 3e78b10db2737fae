from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import ExtraMissing, UserError
from flowyard.runs.dataset import count_rows, iter_rows, open_dataset


def rows(path: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in iter_rows(path)]


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"n": 1, "date": "2024-01-02", "big": 123456789012345678901234567890}\n'
        b'\n   \n{"n": null, "created_at": "2024-01-02T03:04:05"}\r\n{"n": 1.0}'
    )
    found = rows(file)
    assert found == [
        {"n": 1, "date": "2024-01-02", "big": 123456789012345678901234567890},
        {"n": None, "created_at": "2024-01-02T03:04:05"},
        {"n": 1.0},
    ]
    assert [type(row["n"]) for row in found] == [int, type(None), float]
    assert [row.number for row in iter_rows(file)] == [0, 1, 2]
    assert count_rows(file) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"[1]", "JSON list"), (b"{", "not valid JSON"), (b'{"a": "\xff"}', "not UTF-8")],
)
def test_a_bad_line_is_one_bad_row(tmp_path: Path, text: bytes, message: str) -> None:
    file = tmp_path / "d.jsonl"
    file.write_bytes(b'{"a": 1}\n\n' + text + b'\n{"a": 2}\n')
    first, bad, last = iter_rows(file)
    assert (first.error, last.error, last.number) == (None, None, 2)
    assert bad.error is not None
    assert message in bad.error.message
    assert bad.error.where == "d.jsonl:3"


def test_csv_is_text(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text('\ufeffn,date,t\n1,2024-01-02,"a, ""b""\nc"\n\n,,\n1,2\n', "utf-8")
    found = list(iter_rows(file))
    assert [dict(row.values) for row in found[:2]] == [
        {"n": "1", "date": "2024-01-02", "t": 'a, "b"\nc'},
        {"n": "", "date": "", "t": ""},
    ]
    assert found[2].error is not None
    assert "2 cells, the header has 3" in found[2].error.message
    assert count_rows(file) == 3


def test_tsv_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_text("a\tb\n1\t2,3\n")
    assert rows(tmp_path / "d.tsv") == [{"a": "1", "b": "2,3"}]
    for name in ("e.csv", "e.jsonl"):
        (tmp_path / name).touch()
        assert rows(tmp_path / name) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").touch()
    (tmp_path / "data.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="not found") as caught:
        iter_rows(tmp_path / "dta.jsonl")
    assert "data.jsonl" in str(caught.value.hint)
    with pytest.raises(UserError, match=r"data\.xlsx is not a data file"):
        iter_rows(tmp_path / "data.xlsx")


values = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), values)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]]) -> None:
    file = tmp_path_factory.mktemp("d") / "d.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in written), "utf-8")
    assert json.dumps(rows(file)) == json.dumps(written)
    assert count_rows(file) == len(written)


def test_a_json_array_keeps_its_types(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text('\ufeff[{"n": 1, "at": "2024-01-02"}, {"at": null}, 5, {"n": 12345678901234567890123}]', "utf-8")
    found = list(iter_rows(file))
    assert [dict(row.values) for row in found] == [
        {"n": 1, "at": "2024-01-02"},
        {"at": None},
        {},
        {"n": 12345678901234567890123},
    ]
    assert found[2].error is not None
    assert (found[2].error.where, "JSON int" in found[2].error.message) == ("d.json:1", True)
    assert count_rows(file) == 4


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('{"a": [1, 2]}', "holds a JSON dict, not an array", "Write"),
        ('{"a": 1}\n{"a": 2}\n', "not valid JSON", "call it .jsonl"),
        ("[1,", "not valid JSON", ""),
    ],
)
def test_json_that_is_no_array(tmp_path: Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        list(iter_rows(tmp_path / "d.json"))
    assert hint in (caught.value.hint or "")


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissing, match="pyarrow") as caught:
        rows(tmp_path / "d.parquet")
    assert "flowyard[parquet]" in str(caught.value.hint)


def test_a_folder_is_all_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "c.jsonl").write_text('{"x": 4}\n{bad\n')
    (folder / "a.csv").write_text("x\n1\n2\n")
    (folder / "b" / "deep.json").write_text('[{"x": 3}]')
    (folder / "b" / "more.log").write_text('{"x": 3.5}\n')
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "README.txt").write_text("what this is")
    dataset = open_dataset(folder)
    found = list(dataset.rows())
    assert [row.values.get("x") for row in found] == ["1", "2", 3, 3.5, 4, None]
    assert [row.number for row in found] == [0, 1, 2, 3, 4, 5]
    assert found[5].error is not None
    assert found[5].error.where == "c.jsonl:2"
    assert dataset.count() == 6
    assert len(dataset.warnings) == 2
    assert "README.txt is left out" in dataset.warnings[0]
    assert "more.log" in dataset.warnings[1]


def test_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("nothing")
    with pytest.raises(UserError, match="holds no data files"):
        open_dataset(tmp_path)


def test_an_unknown_ending_is_tried_as_json_lines(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text('\n{"x": 1}\n')
    dataset = open_dataset(tmp_path / "d.txt")
    assert [dict(row.values) for row in dataset.rows()] == [{"x": 1}]
    assert "read as JSON lines" in dataset.warnings[0]
