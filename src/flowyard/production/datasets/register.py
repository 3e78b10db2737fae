"""Lines of production as a version of a registered dataset, whose lineage says which part of production it is of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import UserError
from flowyard.production.datasets.lines import DatasetLine
from flowyard.production.exchanges.lines import ExchangeFilter
from flowyard.registry.labels import require_name
from flowyard.registry.lineage import is_same_fact, production_fact
from flowyard.registry.model import Registered
from flowyard.registry.registry import Registry, dataset_draft

__all__ = ["RegisteredLines", "register_lines"]


@dataclass(frozen=True, slots=True)
class RegisteredLines:
    """The version and how many lines it has."""

    registered: Registered
    lines: int


def register_lines(
    registry: Registry, lines: Iterable[DatasetLine], name: str, by: str, wanted: ExchangeFilter | None = None
) -> RegisteredLines:
    """Keep lines as JSON lines in a dataset; a new version only when its content is new.

    ``wanted`` is what they were chosen by; None for lines that a person reviewed, of which only the times of the lines
    are known. Raises UserError when there are no lines.
    """
    require_name(name)
    told = _Told()
    with tempfile.TemporaryDirectory(prefix="flowyard-") as folder:
        path = Path(folder) / f"{name}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for line in lines:
                told.note(line)
                file.write(f"{dump_json(dict(line))}\n")
        if not told.lines:
            raise UserError(
                "There is no such exchange, so that nothing was registered.", hint="Widen --since or --filter."
            )
        registered = registry.add(dataset_draft(path, name, f"{told.lines} lines of production"))
    fact = production_fact(told.value(wanted), by)
    if not any(is_same_fact(fact, each) for each in registry.facts(registered.version)):
        registry.add_fact(registered.version, fact)
    return RegisteredLines(registered, told.lines)


class _Told:
    """What lines say of where they come from."""

    def __init__(self) -> None:
        self.lines = 0
        self._times: tuple[str, str] | None = None
        self._found: dict[str, set[str]] = {"flow": set(), "version": set(), "chosen": set()}

    def note(self, line: DatasetLine) -> None:
        self.lines += 1
        for name, found in self._found.items():
            if isinstance(line.get(name), str):
                found.add(line[name])
        if isinstance(at := line.get("at"), str):
            first, last = self._times or (at, at)
            self._times = (min(first, at), max(last, at))

    def value(self, wanted: ExchangeFilter | None) -> Mapping[str, Any]:
        first, last = self._times or (None, None)
        return {
            "flow": ", ".join(sorted(self._found["flow"])),
            "versions": sorted(self._found["version"]),
            "chosen": "; ".join(sorted(self._found["chosen"])),
            "since": wanted.window.since.isoformat() if wanted else first,
            "until": wanted.window.until.isoformat() if wanted else last,
            "lines": self.lines,
            "reviewed": wanted is None,
        }
