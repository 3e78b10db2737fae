"""Every form of data by its file name's ending."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.runs.data.files import COMPRESSIONS, DataFile
from flowyard.runs.data.json_array import read_json_array, scan_json_array
from flowyard.runs.data.json_lines import looks_like_json_lines, read_json_lines, scan_json_lines
from flowyard.runs.data.parquet import read_parquet, scan_parquet
from flowyard.runs.data.rows import RowForm
from flowyard.runs.data.separated import separated_by

__all__ = ["ENDINGS", "FORMS", "form_of"]

FORMS: Mapping[str, RowForm] = {
    ".jsonl": RowForm(read_json_lines, scan_json_lines),
    ".json": RowForm(read_json_array, scan_json_array),
    ".csv": separated_by(","),
    ".tsv": separated_by("\t"),
    ".parquet": RowForm(read_parquet, scan_parquet, packed=False),
}
ENDINGS = f"{', '.join(FORMS)}; compressed: {', '.join(COMPRESSIONS)}"
"""The endings of data files, for messages."""


def form_of(file: DataFile) -> tuple[RowForm | None, str | None]:
    """The form and a warning about it; None for what is no data. Another ending is tried as JSON lines."""
    form = FORMS.get(file.form)
    if form is not None:
        return (form, None) if form.packed or file.compression is None else (None, None)
    if looks_like_json_lines(file):
        return FORMS[".jsonl"], f"{file.name} has no ending of a data file; it is read as JSON lines."
    return None, None
