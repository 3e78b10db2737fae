"""Memory does not grow with the number of rows, whatever the form."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from flowyard.runs.dataset import Row, open_dataset
from flowyard.runs.numbering import by_own_number


def lines(count: int) -> Iterator[str]:
    return (json.dumps({"line_number": number, "t": f"some text of {number} " * 5}) for number in range(count))


def write_lines(file: Path, count: int) -> None:
    with file.open("w") as writer:
        writer.writelines(f"{line}\n" for line in lines(count))


def write_packed(file: Path, count: int) -> None:
    with gzip.open(file, "wt", compresslevel=1) as writer:
        writer.writelines(f"{line}\n" for line in lines(count))


def write_array(file: Path, count: int) -> None:
    with file.open("w") as writer:
        writer.writelines(chain(["["], (f"{line},\n" for line in lines(count)), ["{}]"]))


def write_separated(file: Path, count: int) -> None:
    with file.open("w") as writer:
        writer.writelines(chain(["line_number,t\n"], (f'{number},"some text"\n' for number in range(count))))


def peak(file: Path) -> int:
    """The most bytes that were in use while the data was counted and read."""
    tracemalloc.start()
    try:
        dataset = open_dataset(file)
        total = dataset.count()
        assert sum(1 for _ in dataset.rows()) == total
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "write"),
    [("d.jsonl", write_lines), ("d.jsonl.gz", write_packed), ("d.json", write_array), ("d.csv", write_separated)],
)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, name: str, write: Callable[[Path, int], None]) -> None:
    small, large = tmp_path / f"small_{name}", tmp_path / f"large_{name}"
    write(small, 10_000)
    write(large, 60_000)
    assert peak(large) < peak(small) + 3_000_000  # no more than a few pieces of the file


def test_memory_does_not_grow_with_rows_that_number_themselves() -> None:
    def peak_of(count: int) -> int:
        tracemalloc.start()
        try:
            rows = (Row(number, {"line_number": count - number, "t": "x" * 200}) for number in range(count))
            assert sum(1 for _ in by_own_number(rows, in_memory=100)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_of(20_000) < peak_of(5_000) + 2_000_000  # a part has 100 rows, and 64 parts become one
