"""What every part gives: rows of one table, printed, written as JSON and put into a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.timing import say

__all__ = ["Row", "print_row", "write_docs", "write_json"]

_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``ratio`` says how many times better than the peer, or the share of the ideal; ``least`` what is
    wanted of it; ``settings`` what both sides were run with.
    """

    part: str
    figure: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    least: float | None = None
    settings: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.ratio is None or self.least is None else self.ratio >= self.least

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return ""
        wanted = "" if self.least is None else f" (wanted {self.least:g}{'' if self.met else ', MISSED'})"
        return f"{self.ratio:.2f}{wanted}"


def print_row(row: Row) -> None:
    say(f"{row.part:<11} {row.figure:<44} {row.ours:>16}  {row.peer:>16}  {row.verdict}")
    if row.settings:
        say(f"{'':<11} {row.settings}")


def write_json(file: Path, facts: Mapping[str, str], rows: Sequence[Row]) -> None:
    text = json.dumps({"facts": dict(facts), "rows": [{**asdict(row), "met": row.met} for row in rows]}, indent=2)
    file.write_text(text + "\n", "utf-8")


def write_docs(file: Path, facts: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Put the table between the two marks of the page; the rows of parts that were not run now stay."""
    before, _, rest = file.read_text("utf-8").partition(_BEGIN)
    old, _, after = rest.partition(_END)
    parts = {row.part for row in rows}
    kept = [line for line in old.splitlines() if line.startswith("| `") and line.split("`")[1] not in parts]
    lines = [
        _BEGIN,
        "",
        *(f"- {name}: {text}" for name, text in facts.items()),
        "",
        "| part | figure | flowyard | peer | ratio | settings |",
        "|---|---|---|---|---|---|",
        *kept,
        *map(_markdown, rows),
        "",
    ]
    file.write_text(before + "\n".join(lines) + _END + after, "utf-8")


def _markdown(row: Row) -> str:
    cells = (f"`{row.part}`", row.figure, row.ours, row.peer, row.verdict, row.settings)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
