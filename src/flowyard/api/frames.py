"""Tables as data frames, of whichever library is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from flowyard._util.files import dump_json
from flowyard._util.suggest import did_you_mean
from flowyard.errors import ExtraMissing, UserError

__all__ = ["Frame", "frame_of"]

Frame = Literal["pandas", "polars"]

_LIBRARIES: tuple[Frame, ...] = ("pandas", "polars")


def frame_of(rows: Iterable[Mapping[str, Any]], columns: Iterable[str] = (), frame: Frame | None = None) -> Any:
    """The rows as a ``DataFrame``, by default of pandas, or of polars where only that is installed.

    Every row has every column: ``columns`` first, then the others as they come; what a row lacks is missing. Raises
    ExtraMissing when the library is not installed, UserError for another one.
    """
    listed = list(rows)
    names = list(dict.fromkeys([*columns, *(name for row in listed for name in row)]))
    values = {name: [row.get(name) for row in listed] for name in names}
    chosen = _chosen(frame)
    library = import_module(chosen)
    if chosen == "pandas":
        return library.DataFrame(values, columns=names)
    return library.DataFrame([_polars_column(library, name, column) for name, column in values.items()])


def _chosen(frame: str | None) -> Frame:
    if frame is not None and frame not in _LIBRARIES:
        hint = did_you_mean(str(frame), _LIBRARIES) or "Write frame='pandas' or frame='polars'."
        raise UserError(f"{frame!r} is no kind of data frame.", hint=hint)
    wanted = _LIBRARIES if frame is None else tuple(name for name in _LIBRARIES if name == frame)
    found = next((name for name in wanted if find_spec(name) is not None), None)
    if found is None:
        what = f"{frame} is not installed" if frame else "Neither pandas nor polars is installed"
        raise ExtraMissing(f"{what}, and the table is a data frame.", hint=f"pip install 'flowyard[{wanted[0]}]'")
    return found


def _polars_column(library: Any, name: str, values: list[Any]) -> Any:
    """A column of one type; values that have none in common become text, objects as JSON."""
    try:
        return library.Series(name, values, strict=True)
    except (TypeError, ValueError, OverflowError, library.exceptions.PolarsError):
        texts = [value if isinstance(value, str) or value is None else dump_json(value) for value in values]
        return library.Series(name, texts, dtype=library.String)
