"""Data as Python has it: a path, a URL, rows or a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard.errors import UserError
from flowyard.runs.dataset import DataSource, absolute_source

__all__ = ["GivenData", "source_of"]

GivenData = str | PathLike[str] | Iterable[Mapping[str, Any]]
"""A path, a pattern or a URL; or rows, which may be a pandas or polars frame."""


def source_of(data: GivenData, home: Path) -> DataSource:
    """Where the data is. Rows are kept in ``home/data`` under their digest, because a run must find them again.

    Raises UserError for what is neither.
    """
    if isinstance(data, (str, PathLike)):
        return absolute_source(fspath(data))
    text = "".join(f"{dump_json(row)}\n" for row in _rows(data))
    if not text:
        raise UserError("There are no rows in the data.")
    file = home / "data" / f"rows_{sha256(text.encode()).hexdigest()[:16]}.jsonl"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text)
    return file.absolute()


def _rows(data: Any) -> list[dict[str, Any]]:
    if hasattr(data, "to_dicts"):  # polars
        data = data.to_dicts()
    elif hasattr(data, "to_dict") and hasattr(data, "columns"):  # pandas
        data = data.to_dict("records")
    rows = list(data) if isinstance(data, Iterable) and not isinstance(data, Mapping) else [None]
    mappings = [row for row in rows if isinstance(row, Mapping)]
    if len(mappings) < len(rows):
        kind = type(data).__name__
        raise UserError(f"A {kind} is not data.", hint="Give a path, a list of dicts by column name, or a data frame.")
    return [{str(name): value for name, value in row.items()} for row in mappings]
