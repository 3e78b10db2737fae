"""A column mapping read against a flow: which input comes from which column, and everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import MappingError
from flowyard.flows.model import Flow

__all__ = ["SOURCES", "Column", "Relations", "raise_problems", "read_mapping"]

SOURCES = ("data", "run.inputs", "run.outputs", "run.usage")
FORM = "Write --column-mapping input='${data.column}' or input='${run.outputs.name}'."
_REFERENCE = re.compile(r"^\$\{([^{}]*)\}$")


@dataclass(frozen=True, slots=True)
class Column:
    """A reference to a column of a source; the column's name may hold dots."""

    source: str
    name: str


@dataclass(frozen=True, slots=True)
class Relations:
    """Where each input comes from. ``problems`` are whole sentences, each with its own next step."""

    columns: Mapping[str, Column]
    literals: Mapping[str, Any]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def sources(self) -> set[str]:
        """The sources that are read."""
        return {column.source for column in self.columns.values()}


def read_mapping(flow: Flow, mapping: Mapping[str, Any], available: Iterable[str]) -> Relations:
    """Explicit mapping first, then the input's default, then the column of the same name.

    ``available`` are the sources that the run has; a relation that reads another one is a problem.
    """
    there = set(available)
    columns: dict[str, Column] = {}
    literals: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in mapping.items():
        match = _REFERENCE.match(value) if isinstance(value, str) else None
        if match is not None:
            _take(columns, problems, name, match[1])
        elif isinstance(value, str) and value.startswith("${"):
            problems.append(f"The mapping of {name!r} is not a whole reference: {value!r}. {FORM}")
        else:
            literals[name] = value
    if mapping and len(literals) == len(mapping):
        problems.append(f"The column mapping has literal values only, so it reads no data. {FORM}")
    for name, declared in flow.inputs.items():
        if name not in mapping and declared.required:
            if "data" not in there:
                problems.append(f"Input {name!r} of flow {flow.name!r} is not mapped and there is no data. {FORM}")
            columns[name] = Column("data", name)
    problems += _absent({column.source for name, column in columns.items() if name in mapping} - there)
    if not columns and "data" in there:
        columns[""] = Column("data", "")
    return Relations(columns, literals, tuple(_misnamed(flow, mapping)), tuple(problems))


def raise_problems(problems: Iterable[str]) -> None:
    """Raise MappingError listing every problem; does nothing when there is none."""
    found = list(dict.fromkeys(problems))
    if len(found) == 1:
        raise MappingError(found[0])
    if found:
        raise MappingError("The mapping does not fit the data:\n  " + "\n  ".join(found), hint=FORM)


def _take(columns: dict[str, Column], problems: list[str], name: str, text: str) -> None:
    for source in SOURCES:
        if text.startswith(f"{source}.") and len(text) > len(source) + 1:
            columns[name] = Column(source, text[len(source) + 1 :])
            return
    known = ", ".join(f"${{{source}.…}}" for source in SOURCES)
    problems.append(f"The mapping of {name!r} reads ${{{text}}}, which is no known source. Sources: {known}.")


def _absent(sources: Iterable[str]) -> list[str]:
    said = {
        "data": "The mapping reads ${data.…}, but no data was given. Add --data FILE.",
        "run.inputs": "The mapping reads ${run.…}, but no run was given. Add --run NAME.",
        "run.outputs": "The mapping reads ${run.…}, but no run was given. Add --run NAME.",
        "run.usage": "The mapping reads ${run.…}, but no run was given. Add --run NAME.",
    }
    return [said[source] for source in sorted(sources)]


def _misnamed(flow: Flow, mapping: Mapping[str, Any]) -> Iterable[str]:
    """Mapped names that are no inputs: the input that was meant keeps its default on every line, silently."""
    for name in mapping:
        if name not in flow.inputs:
            near = did_you_mean(name, flow.inputs) or f"It has: {known_names(flow.inputs)}."
            yield f"The mapping sets {name!r}, which is not an input of flow {flow.name!r}. {near}"
