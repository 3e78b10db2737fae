"""Data files, or a folder of them, as numbered rows that are read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.records import ErrorRecord
from flowyard.runs.rows import FORMATS, RowFormat, looks_like_json_lines

__all__ = ["Dataset", "Row", "count_rows", "iter_rows", "open_dataset", "require_data_file"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 0, and its values, or why it could not be read."""

    number: int
    values: Mapping[str, Any]
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of one ``--data``, in the order in which their rows are numbered. Each method reads them anew."""

    path: Path
    files: tuple[tuple[Path, RowFormat], ...]
    warnings: tuple[str, ...] = ()

    def rows(self) -> Iterator[Row]:
        """The rows of all files, streamed and numbered through. An unreadable row is a Row with an error."""
        number = 0
        for file, form in self.files:
            for row in form.read(file):
                yield Row(number, {}, row) if isinstance(row, ErrorRecord) else Row(number, row)
                number += 1

    def count(self) -> int:
        """How many rows there are; JSON lines and Parquet are counted without being parsed."""
        return sum(form.count(file) for file, form in self.files)

    def has_column(self, name: str) -> bool:
        """Whether any row has a column of that name."""
        return any(form.has_column(file, name) for file, form in self.files)


def open_dataset(path: Path) -> Dataset:
    """The data at ``path``: a file, or a folder whose files are read in the order of their names, at any depth.

    A file of another ending is read as JSON lines if it begins like them, which is warned of; otherwise it is refused,
    or, in a folder, left out with a warning. Hidden files are no data. Raises UserError.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        parent = path.parent if path.parent.is_dir() else Path()
        near = did_you_mean(path.name, [child.name for child in parent.iterdir()])
        raise UserError(f"Data file not found: {path}", hint=near)
    form, warning = _format_of(path, path.name)
    if form is None:
        raise UserError(f"{path.name} is not a data file that can be read.", hint=f"Use one of: {', '.join(FORMATS)}.")
    return Dataset(path, ((path, form),), tuple(filter(None, [warning])))


def require_data_file(path: Path) -> Path:
    """The path of readable data, a file or a folder. Raises UserError."""
    return open_dataset(path).path


def iter_rows(path: Path) -> Iterator[Row]:
    """The rows of a data file or folder, streamed."""
    return open_dataset(path).rows()


def count_rows(path: Path) -> int:
    """How many rows ``iter_rows`` gives."""
    return open_dataset(path).count()


def _open_folder(folder: Path) -> Dataset:
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    files = []
    warnings = []
    for name in names:
        if any(part.startswith(".") for part in name.split("/")):
            continue
        form, warning = _format_of(folder / name, name)
        if form is not None:
            files.append((folder / name, form))
        warnings.append(warning or (f"{name} is left out: it is not data that can be read." if form is None else None))
    if not files:
        raise UserError(f"{folder} holds no data files.", hint=f"Put files in it that end in {', '.join(FORMATS)}.")
    return Dataset(folder, tuple(files), tuple(filter(None, warnings)))


def _format_of(file: Path, name: str) -> tuple[RowFormat | None, str | None]:
    form = FORMATS.get(file.suffix.lower())
    if form is not None:
        return form, None
    if looks_like_json_lines(file):
        return FORMATS[".jsonl"], f"{name} has no ending of a data file; it is read as JSON lines."
    return None, None
