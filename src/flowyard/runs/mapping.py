"""Which column feeds which flow input, and the lines that come of it.

Sources are ``data`` (this run's data), ``run.inputs`` (the data of the base run) and ``run.outputs`` (its outputs).
They are joined on the line number; a line that a source lacks is not run, so an evaluation covers the lines that its
base run completed.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import MappingError, UserError
from flowyard.flows.model import Flow
from flowyard.records import ErrorRecord, LineTask, RunRecord
from flowyard.runs.dataset import Row, count_rows, iter_rows

__all__ = ["LinePlan", "check_mapping", "plan_lines"]

_REFERENCE = re.compile(r"^\$\{([^{}]*)\}$")
_SOURCES = ("data", "run.inputs", "run.outputs")
_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class _Column:
    """A reference to a column of a source; the column's name may hold dots."""

    source: str
    name: str


@dataclass(frozen=True, slots=True)
class LinePlan:
    """The lines of a run: how many, and an iterator over them that is read once."""

    total: int
    tasks: Iterator[LineTask]
    warnings: tuple[str, ...]


def plan_lines(flow: Flow, data: Path | None, base: RunRecord | None, mapping: Mapping[str, Any]) -> LinePlan:
    """Check the mapping against the first rows of each source and make the lines.

    A column that none of the first 100 rows has is a mistake in the mapping; one that a later row lacks fails its line.
    Raises MappingError listing every bad relation, UserError when there is nothing to run.
    """
    columns, literals, warnings = _relations(flow, mapping, has_data=data is not None)
    sources = _open_sources({column.source for column in columns.values()}, data, base)
    samples = {}
    for name, rows in sources.items():
        head = list(itertools.islice(rows, _SAMPLE))
        samples[name] = {key for row in head for key in row.values}
        sources[name] = itertools.chain(head, rows)
        _require_rows(head, _described(name, data, base))
    _require_columns(columns, samples, data, base)
    warnings += _shadowed(flow, columns, samples.get("data", set()), mapping)
    total = base.lines.completed if base is not None and "run.outputs" in sources else _count(data, base)
    joined = _joined(sources)
    return LinePlan(total, (_task(number, rows, columns, literals) for number, rows in joined), tuple(warnings))


def check_mapping(flow: Flow, data: Path, outputs: Iterable[str] | None, mapping: Mapping[str, Any]) -> list[str]:
    """Whether an evaluation could read ``data`` and a base run with these outputs; None says that any may come.

    Returns warnings, raises MappingError. For checking what is planned before its base run is paid for.
    """
    columns, _, warnings = _relations(flow, mapping, has_data=True)
    head = list(itertools.islice(iter_rows(data), _SAMPLE))
    _require_rows(head, f"the data {data.name}")
    in_data = {key for row in head for key in row.values}
    samples = {"data": in_data, "run.inputs": in_data, "run.outputs": {"line_number", *(outputs or ())}}
    known = {name: each for name, each in columns.items() if each.source != "run.outputs" or outputs is not None}
    _require_columns(known, samples, data, None)
    return warnings


def _relations(
    flow: Flow, mapping: Mapping[str, Any], *, has_data: bool
) -> tuple[dict[str, _Column], dict[str, Any], list[str]]:
    """Explicit mapping first, then the input's default, then the column of the same name."""
    columns: dict[str, _Column] = {}
    literals: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in mapping.items():
        match = _REFERENCE.match(value) if isinstance(value, str) else None
        if match is None and isinstance(value, str) and value.startswith("${"):
            raise MappingError(f"The mapping of {name!r} is not a whole reference: {value!r}.", hint=_form())
        if match is None:
            literals[name] = value
        else:
            columns[name] = _column(name, match[1], value)
        if name not in flow.inputs:
            near = did_you_mean(name, flow.inputs) or f"It has: {known_names(flow.inputs)}."
            warnings.append(f"The mapping sets {name!r}, which is not an input of flow {flow.name!r}. {near}")
    if mapping and not columns:
        raise MappingError("The column mapping has literal values only, so it reads no data.", hint=_form())
    for name, declared in flow.inputs.items():
        if name not in mapping and declared.required:
            if not has_data:
                raise MappingError(
                    f"Input {name!r} of flow {flow.name!r} is not mapped and there is no data.", hint=_form()
                )
            columns[name] = _Column("data", name)
    if not columns and has_data:
        columns[""] = _Column("data", "")
    return columns, literals, warnings


def _form() -> str:
    return "Write --column-mapping input='${data.column}' or input='${run.outputs.name}'."


def _column(name: str, text: str, value: str) -> _Column:
    for source in _SOURCES:
        if text.startswith(f"{source}.") and len(text) > len(source) + 1:
            return _Column(source, text[len(source) + 1 :])
    known = ", ".join(f"${{{source}.…}}" for source in _SOURCES)
    raise MappingError(f"The mapping of {name!r} reads {value!r}, which is no known source.", hint=f"Sources: {known}.")


def _open_sources(names: set[str], data: Path | None, base: RunRecord | None) -> dict[str, Iterator[Row]]:
    """Rows of every source that is read; what a run evaluates is always among them, so that lines can be joined."""
    if base is None and names & {"run.inputs", "run.outputs"}:
        raise MappingError("The mapping reads ${run.…}, but no run was given.", hint="Add --run NAME.")
    if data is None and "data" in names:
        raise MappingError("The mapping reads ${data.…}, but no data was given.", hint="Add --data FILE.")
    sources: dict[str, Iterator[Row]] = {}
    if data is not None and "data" in names:
        sources["data"] = _numbered(iter_rows(data))
    if base is not None:
        sources["run.outputs"] = _base_outputs(base)
        if "run.inputs" in names:
            if base.data is None:
                raise MappingError(f"Run {base.name!r} had no data file, so ${{run.inputs.…}} cannot be read.")
            sources["run.inputs"] = _numbered(iter_rows(Path(base.data)))
    return sources


def _numbered(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows by their own ``line_number`` column when the first row has one, in its order; else as they are.

    Raises MappingError when it is not a different whole number in each row; an unreadable row keeps its position.
    """
    first = next(rows, None)
    if first is None:
        return iter(())
    rows = itertools.chain([first], rows)
    if not isinstance(first.values.get("line_number"), int):
        return rows
    own: list[Row] = []
    taken: set[int] = set()
    for row in rows:
        number = row.number if row.error else row.values.get("line_number")
        if type(number) is not int or (number in taken and not row.error):
            message = f"The data numbers its lines, but row {row.number} has the line_number {number!r}."
            raise MappingError(message, hint="Give every row a different whole number, or none of them.")
        taken.add(number)
        own.append(Row(number, row.values, row.error))
    return iter(sorted(own, key=lambda row: row.number))


def _base_outputs(base: RunRecord) -> Iterator[Row]:
    with base.outputs_path.open(encoding="utf-8") as file:
        for text in file:
            values = json.loads(text)
            yield Row(values["line_number"], values)


def _require_rows(head: list[Row], described: str) -> None:
    if not head:
        raise UserError(f"There is nothing to run: {described} has no rows.")
    first = head[0].error
    if first and all(row.error for row in head):
        raise UserError(f"None of the first rows of {described} can be read. {first.message}", where=first.where)


def _require_columns(
    columns: Mapping[str, _Column], samples: Mapping[str, set[str]], data: Path | None, base: RunRecord | None
) -> None:
    bad = []
    for name, column in columns.items():
        known = samples[column.source]
        if column.name and column.name not in known:
            near = did_you_mean(column.name, known) or f"It has: {known_names(sorted(known))}."
            place = _described(column.source, data, base)
            bad.append(
                f"input {name!r} reads ${{{column.source}.{column.name}}}, but {place} has no such column. {near}"
            )
    if bad:
        raise MappingError("The mapping does not fit the data:\n  " + "\n  ".join(bad), hint=_form())


def _described(source: str, data: Path | None, base: RunRecord | None) -> str:
    if source == "data":
        return f"the data {data.name}" if data else "the data"
    owner = f"run {base.name!r}" if base else "the evaluated run"
    return f"the {'outputs' if source == 'run.outputs' else 'data'} of {owner}"


def _shadowed(
    flow: Flow, columns: Mapping[str, _Column], data_columns: set[str], mapping: Mapping[str, Any]
) -> list[str]:
    """Inputs whose default hides a column of the same name: prompt flow's order, which surprises people."""
    return [
        f"{declared.where}: input {name!r} keeps its default, although the data has a column {name!r}; "
        f"map it with {name}='${{data.{name}}}' to use the column."
        for name, declared in flow.inputs.items()
        if not declared.required and name not in mapping and name in data_columns and name not in columns
    ]


def _count(data: Path | None, base: RunRecord | None) -> int:
    if data is not None:
        return count_rows(data)
    return base.lines.completed if base else 0


def _joined(sources: Mapping[str, Iterable[Row]]) -> Iterator[tuple[int, dict[str, Row]]]:
    """Rows of all sources with the same number, ascending; numbers that one source lacks are left out."""
    streams = {name: iter(rows) for name, rows in sources.items()}
    heads: dict[str, Row | None] = {name: next(stream, None) for name, stream in streams.items()}
    while True:
        rows = {name: row for name, row in heads.items() if row is not None}
        if len(rows) < len(heads):
            return
        newest = max(row.number for row in rows.values())
        behind = [name for name, row in rows.items() if row.number < newest]
        if not behind:
            yield newest, rows
        for name in behind or streams:
            heads[name] = next(streams[name], None)


def _task(
    number: int, rows: Mapping[str, Row], columns: Mapping[str, _Column], literals: Mapping[str, Any]
) -> LineTask:
    error = next((row.error for row in rows.values() if row.error), None)
    inputs = dict(literals)
    for name, column in columns.items():
        values = rows[column.source].values
        if column.name in values:
            inputs[name] = values[column.name]
        elif column.name and error is None:
            message = f"Input {name!r} reads column {column.name!r}, which row {number} does not have."
            error = ErrorRecord("ColumnMissing", message)
    return LineTask(number, inputs, error)
