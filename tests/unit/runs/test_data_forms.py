"""Every form of data gives what was written, and a row that cannot be read fails alone."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flowyard.errors import UserError
from flowyard.runs.data.files import local_file
from flowyard.runs.data.json_array import iter_items
from flowyard.runs.dataset import Row, open_dataset

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}

numbers = st.integers() | st.integers(-(10**400), 10**400) | st.floats()
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
json_rows = st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5)


def all_rows(path: Path) -> list[Row]:
    """The rows, which must be as many as are counted."""
    dataset = open_dataset(path)
    found = list(dataset.rows())
    assert dataset.count() == len(found)
    assert [row.number for row in found] == list(range(len(found)))
    return found


def outcomes(path: Path) -> list[Any]:
    """The values of each row, or where it failed."""
    return [row.error.where if row.error else dict(row.values) for row in all_rows(path)]


def message(row: Row) -> str:
    assert row.error is not None
    return row.error.message


@settings(deadline=None, max_examples=60)
@given(json_rows, st.sampled_from(sorted(PACKERS)), st.booleans(), st.sampled_from([None, 1]))
def test_json_of_any_values_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[dict[str, Any]],
    packing: str,
    ascii: bool,
    indent: int | None,
) -> None:
    folder = tmp_path_factory.mktemp("json")
    lines = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in written)
    array = json.dumps(written, ensure_ascii=ascii, indent=indent)
    for name, text in (("d.jsonl", lines), ("d.json", array)):
        file = folder / (name + packing)
        file.write_bytes(PACKERS[packing](text.encode()))
        assert repr([row.values for row in all_rows(file)]) == repr(json.loads(array))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=3, max_size=3), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(sorted(PACKERS)),
)
def test_separated_text_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[list[str]], end: str, packing: str
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    for name, delimiter in (("d.csv", ","), ("d.tsv", "\t")):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(["abc", *written])
        file = folder / (name + packing)
        file.write_bytes(PACKERS[packing](text.getvalue().encode()))
        assert [list(row.values.values()) for row in all_rows(file)] == written


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([b"a,b", b"1,2", b"", b" ", b"x", b'"q\n",2', b"\xff,1", b"\r"])), st.booleans())
def test_rows_of_separated_text_are_counted_as_they_are_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], marked: bool
) -> None:
    file = tmp_path_factory.mktemp("count") / "d.csv"
    file.write_bytes(b"\xef\xbb\xbf" * marked + b"a,b\n" + b"\n".join(lines))
    all_rows(file)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([b"{}", b'{"a": 1}', b"", b"\t", b' {"b": 2} ', b"[", b"\xef\xbb\xbf", b"\xff", b"\r"]))
)
def test_json_lines_are_counted_as_they_are_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    file = tmp_path_factory.mktemp("count") / "d.jsonl"
    file.write_bytes(b"\n".join(lines))
    all_rows(file)


@settings(deadline=None, max_examples=60)
@given(json_rows, st.integers(1, 40), st.booleans())
def test_an_array_may_be_cut_anywhere_into_pieces(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]], chunk: int, ascii: bool
) -> None:
    file = tmp_path_factory.mktemp("chunks") / "d.json"
    text = json.dumps(written, ensure_ascii=ascii, indent=1)
    file.write_bytes(text.encode())
    assert repr(list(iter_items(local_file(file), chunk))) == repr(json.loads(text))


BROKEN_ITEMS = [
    '{"a": }',
    '{"a": 1,}',
    '{"a": tru, "b": [1, {"c": "}]"}]}',
    '{"a": "x" "b": 2}',
    "{'a': 1}",
    '{"a": "bad \\escape"}',
    '{"a": 1} x',
    "01",
    "[1]",
    '"text"',
    "",
]


@pytest.mark.parametrize(
    ("item", "chunk"),
    [
        *((item, chunk) for item in BROKEN_ITEMS for chunk in (1, 7, 300_000)),
        ('{"a": ' + "1" * 5000 + "}", 300_000),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", 300_000),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_broken_item_of_an_array_fails_alone(tmp_path: Path, item: str, chunk: int) -> None:
    file = tmp_path / "d.json"
    file.write_text(f'[{{"n": 1}},\n{item},\n{{"n": 3}}]')
    first, broken, last = iter_items(local_file(file), chunk)
    assert (first, last) == ({"n": 1}, {"n": 3})
    assert broken.type == "RowUnreadable"  # type: ignore[union-attr]
    assert broken.where in ("d.json:2", "d.json:3")  # type: ignore[union-attr]
    assert outcomes(file)[::2] == [{"n": 1}, {"n": 3}]


def test_an_item_that_is_not_utf_8_fails_alone(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_bytes(b'[{"n": "\xc3\xa9"}, {"n": "\xff"}, {"n": "\xc3\xa9"}]')
    assert outcomes(file) == [{"n": "é"}, "d.json:1", {"n": "é"}]
    assert "not UTF-8" in message(all_rows(file)[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}, {"a": 2}', "an item does not end"),
        ('[{"a": 1}, {"a": 2]', "closes nothing"),
        ('[{"a": 1}}, {"a": 2}]', "closes nothing"),
        ('[{"a": 1}, {"a": "x}, {"a": 3}, {"a": "y}]', "a quote or a colon is missing"),
        ('[{"a": "over\nthe end"}]', "a text goes over the end of a line"),
        ('[{"a" 1}, {"a": 2}]', "a colon is missing"),
        ('[{"a": 1},]', "a comma, but no item"),
        ('[{"a": 1}] [', "more after the end"),
        ("", "does not begin with"),
        ("nothing", "does not begin with"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 5, 300_000])
def test_an_array_whose_items_cannot_be_told_apart_is_refused(tmp_path: Path, text: str, said: str, chunk: int) -> None:
    file = tmp_path / "d.json"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        list(iter_items(local_file(file), chunk))
    with pytest.raises(UserError, match="not valid JSON") as caught:
        open_dataset(file).count()
    assert caught.value.hint


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
def test_a_cut_off_file_fails_in_one_line(tmp_path: Path, packing: str) -> None:
    text = "".join(json.dumps({"n": number, "hash": hash(str(number))}) + "\n" for number in range(20_000)).encode()
    file = tmp_path / f"d.jsonl{packing}"
    packed = PACKERS[packing](text[: len(text) // 2]) + PACKERS[packing](text[len(text) // 2 :])
    file.write_bytes(packed[:-20])
    rows = all_rows(file)
    assert len(rows) > 10_000
    assert [row.values["n"] for row in rows[:-1]] == list(range(len(rows) - 1))
    assert "cannot be unpacked" in message(rows[-1])
    assert rows[-1].error is not None
    assert rows[-1].error.where == f"d.jsonl{packing}:{len(rows)}"


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
def test_what_is_not_packed_as_its_name_says(tmp_path: Path, packing: str) -> None:
    (tmp_path / f"d.jsonl{packing}").write_bytes(b'{"a": 1}\n' * 3)
    (row,) = all_rows(tmp_path / f"d.jsonl{packing}")
    assert "cannot be unpacked" in message(row)
    for name in (f"d.csv{packing}", f"d.json{packing}"):
        (tmp_path / name).write_bytes(b"a,b\n1,2\n")
        with pytest.raises(UserError, match=r"cannot be (read|unpacked)"):
            list(open_dataset(tmp_path / name).rows())


def test_a_cut_off_csv_fails_in_one_line(tmp_path: Path) -> None:
    text = "n,hash\n" + "".join(f"{number},{hash(str(number))}\n" for number in range(20_000))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(text.encode())[:-20])
    rows = all_rows(tmp_path / "d.csv.gz")
    assert rows[0].values["n"] == "0"
    assert [row.error is None for row in rows] == [True] * (len(rows) - 1) + [False]


def test_odd_rows_of_separated_text_fail_alone(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b'a,b\n1,2\n1,2,3\n1\n\xff,2\n"x\ny",2\nlast,1\n')
    sound = [{"a": "1", "b": "2"}, {"a": "x\ny", "b": "2"}, {"a": "last", "b": "1"}]
    assert outcomes(tmp_path / "d.csv") == [sound[0], "d.csv:3", "d.csv:4", "d.csv:5", *sound[1:]]


def test_names_of_columns_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"a,\xff\n1,2\n")
    with pytest.raises(UserError, match="names of the columns") as caught:
        open_dataset(tmp_path / "d.csv").count()
    assert caught.value.where == "d.csv:1"


def test_a_broken_row_group_fails_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "d.parquet"
    written = [{"n": number, "t": f"text {number}"} for number in range(30)]
    parquet.write_table(pyarrow.Table.from_pylist(written), file, row_group_size=10, compression="snappy")
    broken = bytearray(file.read_bytes())
    column = parquet.read_metadata(file).row_group(1).column(0)
    start = min(filter(None, (column.dictionary_page_offset, column.data_page_offset)))
    broken[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(bytes(broken))
    assert outcomes(file) == [*written[:10], *(f"d.parquet:{number}" for number in range(11, 21)), *written[20:]]
    assert "Row group 1 cannot be read" in message(all_rows(file)[10])


def test_numbers_that_json_has_no_word_for(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"x": NaN, "y": -Infinity, "z": 1e999, "e": 1E2, "m": -0}\n')
    values = all_rows(tmp_path / "d.jsonl")[0].values
    assert math.isnan(values["x"])
    assert repr([values[name] for name in "yzem"]) == "[-inf, inf, 100.0, 0]"
