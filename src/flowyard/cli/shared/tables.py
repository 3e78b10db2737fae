"""Tables and blocks for people, on stdout. Apart from other output because drawing takes long to import."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import click
from rich import box, cells
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.files import dump_json
from flowyard._util.printable import printable_text
from flowyard.records import LineResult

__all__ = ["print_line", "print_table", "print_tree", "printable", "shortened"]


_BETWEEN = 3
"""Cells between two columns."""


class _Branch(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def below(self) -> Sequence[_Branch]: ...


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None, whole: Collection[str] = ()
) -> None:
    """A table on stdout; long cells are folded but in the columns ``whole``, markup in data is text.

    Where those alone need more than the terminal has, the table is wider: what is cut off cannot be copied.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False)
    texts = [[cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row] for row in rows]
    least = _BETWEEN * (len(columns) - 1)
    for place, column in enumerate(columns):
        longest = max(map(cells.cell_len, column.split()), default=0)
        if column in whole:
            longest = max([cells.cell_len(column), *(row[place].cell_len for row in texts)])
        least += longest
        table.add_column(column, overflow="fold", no_wrap=column in whole, min_width=longest)
    for row in texts:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, least if whole else 0)
    console.print(table)


def print_line(line: LineResult) -> None:
    """One line of a run as a block: its inputs, then its outputs or why it failed."""
    outcome = {f"outputs.{name}": value for name, value in line.outputs.items()}
    if line.error:
        outcome = {"failed": f"{line.error.type}: {line.error.message}"}
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    for name, value in {**{f"inputs.{name}": value for name, value in line.inputs.items()}, **outcome}.items():
        table.add_row(Text(name, style="red" if name == "failed" else "dim"), Text(_cell(value)))
    click.secho(f"line {line.line_number}", bold=True)
    Console().print(table)


def print_tree(root: _Branch) -> None:
    """A sentence with sentences below it, each in as many lines as it needs."""
    tree = Tree(Text(printable(root.text), style="bold"), guide_style="dim")
    _grow(tree, root)
    Console().print(tree)


def _grow(tree: Tree, branch: _Branch) -> None:
    for each in branch.below:
        _grow(tree.add(Text(printable(each.text))), each)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = printable(f"{value:.4g}" if isinstance(value, float) else value)
    return text if len(text) <= 160 else f"{text[:159]}…"


def printable(value: Any) -> str:
    """Text as it is and anything else as JSON, without what would steer a terminal, or a CI system that reads it."""
    return without_ci_commands(printable_text(value if isinstance(value, str) else dump_json(value)))


def shortened(text: str) -> str:
    """Text that fits into one line of the terminal; whole where there is none."""
    console = Console()
    if not console.is_terminal:
        return text
    return cells.set_cell_size(text, console.width - 1).rstrip() + "…" if cells.cell_len(text) > console.width else text
