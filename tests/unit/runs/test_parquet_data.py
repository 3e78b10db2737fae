from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from flowyard.errors import UserError
from flowyard.runs.dataset import open_dataset


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    written = [
        {"n": 1, "t": "a", "l": [1, 2], "d": date(2024, 1, 2), "s": {"k": "v"}},
        {"n": None, "t": "b", "l": [], "d": None, "s": None},
        {"n": 3, "t": None, "l": None, "d": date(2024, 1, 3), "s": {"k": None}},
    ]
    file = tmp_path / "d.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(written), file)
    dataset = open_dataset(file)
    found = [dict(row.values) for row in dataset.rows()]
    assert found == written
    assert [type(row["n"]) for row in found] == [int, type(None), int]
    assert dataset.count() == 3
    assert (dataset.has_column("n"), dataset.has_column("m")) == (True, False)


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(open_dataset(tmp_path / "bad.parquet").rows())
