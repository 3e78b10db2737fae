"""The door to data in every form: files, folders, patterns and URLs as numbered rows that are read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from flowyard.errors import UserError
from flowyard.records import ErrorRecord
from flowyard.runs.data.files import DataFile
from flowyard.runs.data.forms import ENDINGS, form_of
from flowyard.runs.data.places import (
    DataSource,
    Place,
    absolute_source,
    data_exists,
    data_source,
    find_place,
    recorded_source,
    shown_source,
)
from flowyard.runs.data.rows import RowForm, Scan

__all__ = [
    "DataSource",
    "Dataset",
    "Row",
    "absolute_source",
    "count_rows",
    "data_exists",
    "data_source",
    "iter_rows",
    "open_dataset",
    "recorded_source",
    "require_data_file",
    "shown_source",
]


class Row(NamedTuple):
    """One row: its number from 0, and its values, or why it could not be read."""

    number: int
    values: Mapping[str, Any]
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of one ``--data``, in the order in which their rows are numbered. Each method reads them anew.

    ``folder`` is what paths inside the data are relative to, None for remote data, which may name no local files.
    """

    source: DataSource
    files: tuple[tuple[DataFile, RowForm], ...]
    folder: Path | None = None
    is_remote: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The last part of the source's name, for messages."""
        return Path(shown_source(self.source)).name

    def rows(self) -> Iterator[Row]:
        """The rows of all files, streamed and numbered through. An unreadable row is a Row with an error."""
        number = 0
        for file, form in self.files:
            for row in form.read(file):
                yield Row(number, {}, row) if type(row) is ErrorRecord else Row(number, row)  # type: ignore[arg-type]
                number += 1

    def scan(self, column: str | None) -> Scan:
        """How many rows there are and whether any has that column, in one look; only JSON arrays are parsed for it.

        Raises UserError when a file can be found to be unusable.
        """
        found = [form.scan(file, column) for file, form in self.files]
        return Scan(sum(each.rows for each in found), any(each.has_column for each in found))

    def count(self) -> int:
        """How many rows there are."""
        return self.scan(None).rows

    def has_column(self, name: str) -> bool:
        """Whether any row has a column of that name."""
        return self.scan(name).has_column


def open_dataset(source: DataSource) -> Dataset:
    """The data at a path, pattern or URL. Of a folder or pattern, files are read in the order of their names.

    A file of another ending is read as JSON lines if it begins like them, which is warned of; otherwise it is refused,
    or, among many, left out with a warning. Raises UserError, and OutsideError when a remote place fails.
    """
    place = find_place(source)
    files = []
    warnings = []
    for file in place.files:
        form, warning = form_of(file)
        if form is not None:
            files.append((file, form))
        elif place.is_many:
            warning = f"{file.name} is left out: it is not data that can be read."
        warnings.append(warning)
    if not files:
        raise _no_data(source, place)
    return Dataset(source, tuple(files), place.folder, place.is_remote, tuple(filter(None, warnings)))


def require_data_file(source: DataSource) -> DataSource:
    """The source of data that can be opened. Raises UserError, OutsideError."""
    return open_dataset(source).source


def iter_rows(source: DataSource) -> Iterator[Row]:
    """The rows of the data, streamed."""
    return open_dataset(source).rows()


def count_rows(source: DataSource) -> int:
    """How many rows ``iter_rows`` gives."""
    return open_dataset(source).count()


def _no_data(source: DataSource, place: Place) -> UserError:
    if place.is_many:
        return UserError(f"{shown_source(source)} holds no data files.", hint=f"Put files in it that end in {ENDINGS}.")
    return UserError(f"{place.files[0].name} is not a data file that can be read.", hint=f"Use one of: {ENDINGS}.")
