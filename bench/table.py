"""What every part gives: rows of one table, printed, written as JSON and put into a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.timing import say

__all__ = ["Row", "print_row", "write_docs", "write_json"]

_TABLE, _PROFILE = "bench", "profile"


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


def write_docs(file: Path, facts: Mapping[str, str], rows: Sequence[Row], profile: str | None) -> None:
    """Put table and profile between their marks in the page; the rows of parts that were not run now stay."""
    text = file.read_text("utf-8")
    parts = {row.part for row in rows}
    old = _between(text, _TABLE).splitlines()
    lines = [
        *(f"- {name}: {fact}" for name, fact in facts.items()),
        "",
        "| part | figure | flowyard | peer or ideal | ratio | settings |",
        "|---|---|---|---|---|---|",
        *(line for line in old if line.startswith("| `") and line.split("`")[1] not in parts),
        *map(_markdown, rows),
    ]
    text = _replaced(text, _TABLE, "\n".join(lines))
    if profile and "engine" in parts:
        text = _replaced(text, _PROFILE, profile.strip())
    file.write_text(text, "utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _between(text: str, name: str) -> str:
    begin, end = _marks(name)
    return text.partition(begin)[2].partition(end)[0]


def _replaced(text: str, name: str, content: str) -> str:
    begin, end = _marks(name)
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{content}\n\n{end}{rest.partition(end)[2]}"


def _markdown(row: Row) -> str:
    cells = (f"`{row.part}`", row.figure, row.ours, row.peer, row.verdict, row.settings)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
