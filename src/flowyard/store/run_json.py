"""A run's record as JSON: what the database keeps, and the copy in the run's folder that a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.records import ErrorRecord, LineCounts, RunRecord, Usage

__all__ = ["count_lines", "run_from_json", "run_from_text", "run_to_json"]

_START = re.compile(rb'\{"line_number": -?\d+, "status": "(completed|failed)"')
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
    """What a killed run had finished, from its lines; a torn one does not count."""
    counts = {"completed": 0, "failed": 0}
    if run.lines_path.exists():
        with run.lines_path.open("rb") as file:
            for raw in file:
                if status := _status(raw):
                    counts[status] += 1
    return LineCounts(run.lines.total, counts["completed"], counts["failed"])


def _status(raw: bytes) -> str | None:
    if not raw.endswith(b"\n"):
        return None
    if match := _START.match(raw):
        return match[1].decode()
    try:
        status = json.loads(raw)["status"]
    except (ValueError, KeyError, TypeError):
        return None
    return status if status in ("completed", "failed") else None
