"""A run's record as JSON: what the database keeps, and the copy in the run's folder that a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from flowyard._util.files import dump_json
from flowyard.records import ErrorRecord, LineCounts, RunRecord, Usage

__all__ = ["count_lines", "run_from_json", "run_from_text", "run_to_json"]

_START = re.compile(rb'\{"line_number": (-?\d+), "status": "(completed|failed)"')
"""How a stored line begins, so that millions are counted without being parsed."""


def run_to_json(run: RunRecord) -> str:
    """The stored text of a run. Its folder is not in it, so that a home can be moved."""
    fields = {name: getattr(run, name) for name in RunRecord.__dataclass_fields__ if name != "path"}
    return dump_json(fields, indent=2)


def run_from_json(data: Mapping[str, Any], folder: Path) -> RunRecord:
    """The inverse of ``run_to_json``; fields that an older or newer version lacks or adds are no error."""
    known = {name: data[name] for name in RunRecord.__dataclass_fields__ if name in data}
    known["lines"] = LineCounts(**data["lines"])
    known["usage"] = Usage(**data["usage"])
    known["errors"] = tuple(ErrorRecord(**error) for error in data["errors"])
    for name in ("warnings", "environment_names", "init_names"):
        known[name] = tuple(data.get(name, ()))
    return RunRecord(**known, path=folder)


def run_from_text(text: str, folder: Path) -> RunRecord:
    """A run from its stored text. Raises ValueError when it is none."""
    try:
        return run_from_json(json.loads(text), folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no record of a run ({type(error).__name__}: {error})") from None


def count_lines(run: RunRecord) -> LineCounts:
    """What a killed run had finished, from its lines; a torn one does not count, and of one that ran twice the last."""
    ended = _Ended()
    if run.lines_path.exists():
        with run.lines_path.open("rb") as file:
            for raw in file:
                if found := _status(raw):
                    ended.put(*found)
    return LineCounts(run.lines.total, ended.count("completed"), ended.count("failed"))


class _Ended:
    """How each line ended, in a byte for each number where numbers follow each other, as they do in long runs."""

    _CODES: ClassVar[Mapping[str, int]] = {"completed": 1, "failed": 2}
    _MOST_GAP = 1_000_000

    def __init__(self) -> None:
        self._dense = bytearray()
        self._sparse: dict[int, int] = {}

    def put(self, number: int, status: str) -> None:
        if not 0 <= number < len(self._dense) + self._MOST_GAP:
            self._sparse[number] = self._CODES[status]
            return
        if number >= len(self._dense):
            self._dense.extend(bytes(number + 1 - len(self._dense)))
        self._dense[number] = self._CODES[status]
        self._sparse.pop(number, None)

    def count(self, status: str) -> int:
        code = self._CODES[status]
        return self._dense.count(code) + sum(each == code for each in self._sparse.values())


def _status(raw: bytes) -> tuple[int, str] | None:
    """Number and status of a stored line; None for one that is torn or no line."""
    if not raw.endswith(b"\n"):
        return None
    if match := _START.match(raw):
        return int(match[1]), match[2].decode()
    try:
        data = json.loads(raw)
        number, status = int(data["line_number"]), str(data["status"])
    except (ValueError, KeyError, TypeError):
        return None
    return (number, status) if status in ("completed", "failed") else None
