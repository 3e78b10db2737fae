"""Which column feeds which flow input, and the lines that come of it.

Sources are ``data`` (this run's data), and of the base run ``run.inputs`` (its data), ``run.outputs`` and ``run.usage``
(what each line took).
They are joined on the line number; a line that a source lacks is not run, so an evaluation covers the lines that its
base run completed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import MappingError, UserError
from flowyard.flows.model import Flow
from flowyard.records import ErrorRecord, LineTask, RunRecord
from flowyard.runs.dataset import Dataset, DataSource, Row, open_dataset
from flowyard.runs.line_usage import USAGE_NAMES, line_usage
from flowyard.runs.numbering import NUMBER, by_own_number
from flowyard.runs.relations import SOURCES, Column, Relations, raise_problems, read_mapping

__all__ = ["LinePlan", "check_mapping", "numbered_rows", "plan_lines"]

_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class LinePlan:
    """The lines of a run: how many, and an iterator over them that is read once.

    Paths of pictures in them are relative to ``folder``, that of the data; those in a base run's outputs are absolute.
    Lines that came ``from_network`` may name no files at all.
    """

    total: int
    tasks: Iterator[LineTask]
    warnings: tuple[str, ...]
    folder: Path | None = None
    from_network: bool = False


def plan_lines(flow: Flow, data: DataSource | None, base: RunRecord | None, mapping: Mapping[str, Any]) -> LinePlan:
    """Check the mapping against the first rows of each source and make the lines.

    A column that none of the first 100 rows has is a mistake in the mapping; one that a later row lacks fails its line.
    Raises MappingError listing every bad relation, UserError when there is nothing to run.
    """
    datasets = {"data": open_dataset(data)} if data else {}
    relations = read_mapping(flow, mapping, _available(data, base))
    problems = list(relations.problems)
    if base is not None and "run.inputs" in relations.sources:
        if base.data is None:
            problems.append(f"Run {base.name!r} had no data file, so ${{run.inputs.…}} cannot be read.")
        else:
            datasets["run.inputs"] = open_dataset(base.data)
    sources, total = _open_sources(relations, datasets, base)
    samples = {}
    for name, rows in sources.items():
        head = list(itertools.islice(rows, _SAMPLE))
        samples[name] = {key for row in head for key in row.values}
        sources[name] = itertools.chain(head, rows)
        _require_rows(head, _described(name, datasets, base))
    raise_problems([*problems, *_missing_columns(relations.columns, samples, datasets, base)])
    warnings = [warning for dataset in datasets.values() for warning in dataset.warnings]
    warnings += [*relations.warnings, *_shadowed(flow, relations.columns, samples.get("data", set()), mapping)]
    folder = datasets["data"].folder if data else None
    from_network = any(dataset.is_remote for dataset in datasets.values())
    return LinePlan(total, _tasks(sources, relations), tuple(dict.fromkeys(warnings)), folder, from_network)


def check_mapping(flow: Flow, data: DataSource, outputs: Iterable[str] | None, mapping: Mapping[str, Any]) -> list[str]:
    """Whether an evaluation could read ``data`` and a base run with these outputs; None says that any may come.

    Returns warnings, raises MappingError. For checking what is planned before its base run is paid for.
    """
    dataset = open_dataset(data)
    relations = read_mapping(flow, mapping, SOURCES)
    head = list(itertools.islice(dataset.rows(), _SAMPLE))
    _require_rows(head, f"the data {dataset.label}")
    in_data = {key for row in head for key in row.values}
    samples = {
        "data": in_data,
        "run.inputs": in_data,
        "run.outputs": {NUMBER, *(outputs or ())},
        "run.usage": set(USAGE_NAMES),
    }
    columns = {
        name: column
        for name, column in relations.columns.items()
        if column.source != "run.outputs" or outputs is not None
    }
    raise_problems([*relations.problems, *_missing_columns(columns, samples, {"data": dataset}, None)])
    return [*dataset.warnings, *relations.warnings, *_shadowed(flow, relations.columns, in_data, mapping)]


def numbered_rows(dataset: Dataset) -> Iterator[Row]:
    """The rows as runs number them: by their own ``line_number`` when there is such a column, else by position.

    Raises MappingError when the numbers are not usable.
    """
    return by_own_number(dataset.rows()) if dataset.has_column(NUMBER) else dataset.rows()


def _available(data: DataSource | None, base: RunRecord | None) -> list[str]:
    return [*(["data"] if data else []), *(["run.inputs", "run.outputs", "run.usage"] if base else [])]


def _open_sources(
    relations: Relations, datasets: Mapping[str, Dataset], base: RunRecord | None
) -> tuple[dict[str, Iterator[Row]], int]:
    """Rows of every source that is read, and how many lines there are at most.

    What a run evaluates is always among them, so that lines can be joined. Each source is looked through once.
    """
    read = {name: dataset for name, dataset in datasets.items() if name in relations.sources}
    scans = {name: dataset.scan(NUMBER) for name, dataset in read.items()}
    counts = {scan.rows for scan in scans.values() if not scan.has_column}
    if len(counts) > 1:
        raise MappingError(
            f"The data and the data of run {base.name if base else ''!r} have different numbers of rows "
            f"({', '.join(map(str, sorted(counts)))}), so their lines cannot be joined.",
            hint="Give every row of both a line_number.",
        )
    sources = {
        name: by_own_number(dataset.rows()) if scans[name].has_column else dataset.rows()
        for name, dataset in read.items()
    }
    if base is not None:
        sources["run.outputs"] = _base_outputs(base)
        if "run.usage" in relations.sources:
            sources["run.usage"] = line_usage(base)
        return sources, base.lines.completed
    return sources, scans["data"].rows if "data" in scans else datasets["data"].count()


def _base_outputs(base: RunRecord) -> Iterator[Row]:
    with base.outputs_path.open(encoding="utf-8") as file:
        for text in file:
            values = json.loads(text)
            yield Row(values[NUMBER], values)


def _require_rows(head: list[Row], described: str) -> None:
    if not head:
        raise UserError(f"There is nothing to run: {described} has no rows.")
    first = head[0].error
    if first and all(row.error for row in head):
        raise UserError(f"None of the first rows of {described} can be read. {first.message}", where=first.where)


def _missing_columns(
    columns: Mapping[str, Column],
    samples: Mapping[str, set[str]],
    datasets: Mapping[str, Dataset],
    base: RunRecord | None,
) -> Iterator[str]:
    """What reads a column that the sources, as far as they could be opened, do not have."""
    for name, column in columns.items():
        known = samples.get(column.source)
        if known is not None and column.name and column.name not in known:
            near = did_you_mean(column.name, known) or f"It has: {known_names(sorted(known))}."
            place = _described(column.source, datasets, base)
            yield f"Input {name!r} reads ${{{column.source}.{column.name}}}, but {place} has no such column. {near}"


def _described(source: str, datasets: Mapping[str, Dataset], base: RunRecord | None) -> str:
    if source == "data":
        return f"the data {datasets['data'].label}" if "data" in datasets else "the data"
    owner = f"run {base.name!r}" if base else "the evaluated run"
    return f"the {_OF_A_RUN[source]} of {owner}"


_OF_A_RUN = {"run.inputs": "data", "run.outputs": "outputs", "run.usage": "usage"}


def _shadowed(
    flow: Flow, columns: Mapping[str, Column], data_columns: set[str], mapping: Mapping[str, Any]
) -> list[str]:
    """Inputs whose default hides a column of the same name: prompt flow's order, which surprises people."""
    return [
        f"{declared.where}: input {name!r} keeps its default, although the data has a column {name!r}; "
        f"map it with {name}='${{data.{name}}}' to use the column."
        for name, declared in flow.inputs.items()
        if not declared.required and name not in mapping and name in data_columns and name not in columns
    ]


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


def _tasks(sources: Mapping[str, Iterable[Row]], relations: Relations) -> Iterator[LineTask]:
    if len(sources) > 1:
        for number, rows in _joined(sources):
            yield _task(number, rows, relations)
        return
    ((source, only),) = sources.items()
    literals = dict(relations.literals)
    columns = [(name, column.name) for name, column in relations.columns.items() if column.name]
    for row in only:  # the way of nearly every run, which is why it is flat
        number, values, error = row
        if error is None:
            try:
                inputs = literals | {name: values[column] for name, column in columns}
            except KeyError:
                yield _task(number, {source: row}, relations)
            else:
                yield LineTask(number, inputs)
        else:
            yield _task(number, {source: row}, relations)


def _task(number: int, rows: Mapping[str, Row], relations: Relations) -> LineTask:
    error = next((row.error for row in rows.values() if row.error), None)
    inputs = dict(relations.literals)
    for name, column in relations.columns.items():
        values = rows[column.source].values
        if column.name in values:
            inputs[name] = values[column.name]
        elif column.name and error is None:
            message = f"Input {name!r} reads column {column.name!r}, which row {number} does not have."
            error = ErrorRecord("ColumnMissing", message)
    return LineTask(number, inputs, error)
