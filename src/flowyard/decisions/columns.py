"""What the lines of a run say, as columns of numbers: read once, one line in memory at a time."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Mapping
from itertools import repeat
from math import isnan
from typing import Any

from flowyard._util.flat import flat_items
from flowyard._util.numbers import LARGEST
from flowyard.records import RunRecord
from flowyard.runs.results import read_heads, stored_lines
from flowyard.sessions.encoding import is_whole, read_line

__all__ = ["NAN", "Column", "RunColumns", "read_columns"]

NAN = math.nan
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_MOST_LABELS = 1000
_LONGEST_LABEL = 200
_NONE, _OTHER = -1, -2
_OUTPUTS = re.compile(r'\{"line_number": -?\d+, "status": "\w+", "outputs": ')
_TAIL = ', "duration_s": '
_decode = json.JSONDecoder().raw_decode


class Column:
    """One output over the lines: ``values`` has numbers (truth values are 0 and 1), NaN where there is none or it is
    beyond 1e150.

    ``codes`` has the place in ``labels`` of what is text, -1 where there is no text, -2 for a text that is not kept: a
    long one, or one after 1,000 different ones. The texts ``wanted`` are kept in any case.
    """

    __slots__ = ("_has_words", "_wanted", "codes", "labels", "values")

    def __init__(self, before: int, wanted: frozenset[str] = frozenset()) -> None:
        self.values = array("d", repeat(NAN, before))
        self.codes = array("i", repeat(_NONE, before))
        self.labels: dict[str, int] = {}
        self._wanted = wanted
        self._has_words = False

    def put(self, value: Any) -> None:
        """The next line's value."""
        number, code = NAN, _NONE
        if isinstance(value, str):
            code = self._code(value)
            if len(value) <= _LONGEST_LABEL and _NUMBER.fullmatch(value):
                number = float(value)
            else:
                self._has_words = True
        elif isinstance(value, bool | int | float):
            try:
                number = float(value)
            except OverflowError:
                number = NAN
        self.values.append(number if abs(number) <= LARGEST else NAN)
        self.codes.append(code)

    def _code(self, label: str) -> int:
        found = self.labels.get(label)
        is_kept = label in self._wanted or (len(label) <= _LONGEST_LABEL and len(self.labels) < _MOST_LABELS)
        if found is None and is_kept:
            found = self.labels[label] = len(self.labels)
        return _OTHER if found is None else found

    def fill(self, length: int) -> None:
        """Make it so long; the lines that did not have it are without a value."""
        missing = length - len(self.values)
        if missing > 0:
            self.values.extend(repeat(NAN, missing))
            self.codes.extend(repeat(_NONE, missing))

    @property
    def is_numeric(self) -> bool:
        """Whether it has numbers, and no text that is none."""
        return not self._has_words and any(not isnan(value) for value in self.values)

    def equal_to(self, wanted: str) -> array[float]:
        """1 where the value is ``wanted``, 0 where it is another, NaN where there is none."""
        code = self.labels.get(wanted, -3)
        number = {"true": 1.0, "false": 0.0}.get(wanted.lower(), NAN)
        if _NUMBER.fullmatch(wanted):
            number = float(wanted)
        return array("d", (_is(own, value, code, number) for own, value in zip(self.codes, self.values, strict=True)))


def _is(found: int, value: float, code: int, number: float) -> float:
    if found != _NONE:
        return float(found == code or value == number)
    return NAN if isnan(value) else float(value == number)


class RunColumns:
    """A run's lines in the order of their ``numbers``. ``failed`` is 1 where one failed; the columns are its outputs.

    ``duration_ms``, ``cost_usd`` (with what kept answers spared) and ``tokens`` are what each line took. ``wanted`` are
    texts that somebody looks for in them.
    """

    def __init__(self, wanted: frozenset[str] = frozenset()) -> None:
        self._wanted = wanted
        self.numbers = array("q")
        self.failed = bytearray()
        self.duration_ms = array("d")
        self.cost_usd = array("d")
        self.tokens = array("d")
        self.columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def places(self) -> dict[int, int]:
        """Where each line is, by its number."""
        return {number: place for place, number in enumerate(self.numbers)}

    def put(self, number: int, *, failed: bool, outputs: Mapping[str, Any], tail: Mapping[str, Any]) -> None:
        before = len(self.numbers)
        self.numbers.append(number)
        self.failed.append(failed)
        usage = tail.get("usage") or {}
        self.duration_ms.append(tail["duration_s"] * 1000)
        self.cost_usd.append(usage.get("cost_usd", 0.0) + usage.get("saved_usd", 0.0))
        self.tokens.append(usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0))
        for name, value in flat_items(outputs):
            column = self.columns.get(name)
            if column is None:
                column = self.columns[name] = Column(before, self._wanted)
            elif len(column.values) > before:  # two outputs that are written alike
                continue
            column.fill(before)
            column.put(value)

    def close(self) -> None:
        for column in self.columns.values():
            column.fill(len(self.numbers))


def read_columns(run: RunRecord, *, outputs: bool = True, wanted: frozenset[str] = frozenset()) -> RunColumns:
    """The lines of a run. Without ``outputs`` only how each line went is read. Raises StoreError for a damaged line."""
    found = RunColumns(wanted)
    for raw in stored_lines(run):
        number, status = read_heads(raw)
        values, tail = _parsed(raw, run, outputs=outputs and status == "completed")
        found.put(number, failed=status != "completed", outputs=values, tail=tail)
    found.close()
    return found


def _parsed(raw: bytes, run: RunRecord, *, outputs: bool) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Outputs and the end of a line, with little of what is between them parsed."""
    text = raw.decode()
    start, end = _OUTPUTS.match(text), text.rfind(_TAIL)
    if start is None or end < 0 or not is_whole(raw):
        line = read_line(raw, f"A line of run {run.name!r}")
        usage = {name: getattr(line.usage, name) for name in line.usage.__dataclass_fields__}
        return line.outputs if outputs else {}, {"duration_s": line.duration_s, "usage": usage}
    return _decode(text, start.end())[0] if outputs else {}, _decode("{" + text[end + 2 :])[0]
