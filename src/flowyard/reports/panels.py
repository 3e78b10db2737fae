"""One dataset's part of the page: its lines, packed for the script and open where they are few, and what they show."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.decisions.model import Evidence
from flowyard.records import ErrorRecord, LineResult
from flowyard.reports.cells import Field, fields_side_by_side, shared_inputs
from flowyard.reports.charts import Chart
from flowyard.reports.confusion import ConfusionMatrix, LabelPairs, given_matrices
from flowyard.reports.distributions import distribution_charts
from flowyard.reports.line_blocks import Block, LineBlocks
from flowyard.reports.line_scores import LineScores, SeenScores, scores_behind
from flowyard.reports.lines import Failure, Failures, LineChoice, LineRow, choose_lines, choose_numbers, iter_lines
from flowyard.reports.table import DatasetTable, Summary, VariantRow

__all__ = ["MOST_LINES", "MOST_OPEN_LINES", "Panel", "read_panel"]

MOST_LINES = 50_000
"""How many lines of each dataset the page carries; the tables have every line."""
MOST_OPEN_LINES = 300
"""Up to so many lines of a dataset can also be read without the page's script, but for what their nodes did."""


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What one evaluator said of one variant's line."""

    evaluator: str
    fields: tuple[Field, ...]
    error: ErrorRecord | None


@dataclass(frozen=True, slots=True)
class _Cell:
    """One variant's part of a line. ``inputs`` is empty when all variants share theirs."""

    row: VariantRow
    line: LineResult | None
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    evaluations: tuple[_Evaluation, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line as the template draws it."""

    row: LineRow
    inputs: tuple[Field, ...]
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One dataset; ``index`` names it in links, because its name may be any text.

    Of ``total`` lines ``kept`` are in ``blocks``; ``lines`` are those that need no script, all or none of them.
    """

    index: int
    table: DatasetTable
    total: int
    kept: int
    blocks: tuple[Block, ...]
    failures: tuple[Failure, ...]
    matrices: tuple[ConfusionMatrix, ...]
    distributions: tuple[Chart, ...]
    choice: LineChoice | None
    lines: tuple[_Line, ...]


def read_panel(index: int, table: DatasetTable, summary: Summary, evidence: Evidence | None) -> Panel:
    """Read the lines of a dataset once; before that once more where only some of them fit."""
    colours = [summary.labels.index(row.label) % 8 for row in table.rows]
    blocks = LineBlocks(index, [row.label for row in table.rows])
    failures, pairs, seen = Failures(), LabelPairs(table), SeenScores(len(table.rows))
    expected = max((row.lines.total for row in table.rows), default=0)
    wanted = choose_numbers(table, MOST_LINES) if expected > MOST_LINES else None
    total, few = 0, list[LineRow]()
    for line in iter_lines(table):
        total += 1
        if total <= MOST_OPEN_LINES:
            few.append(line)
        failures.add(line)
        pairs.add(line)
        seen.add(line)
        if wanted is None or line.line_number in wanted:
            blocks.add(line)
    scores = _scores(table, evidence, seen)
    choice = choose_lines(few) if total <= MOST_OPEN_LINES else None
    return Panel(
        index=index,
        table=table,
        total=total,
        kept=len(blocks.numbers),
        blocks=blocks.finish(table.name, scores, colours),
        failures=failures.most_first(),
        matrices=(*pairs.matrices(), *given_matrices(table)),
        distributions=tuple(distribution_charts(table, scores, colours)),
        choice=choice,
        lines=tuple(map(_open_line, choice.lines)) if choice else (),
    )


def _scores(table: DatasetTable, evidence: Evidence | None, seen: SeenScores) -> list[LineScores]:
    """What was tested, where anything was: it follows the rules of the gates, for failed lines too."""
    return (scores_behind(table, evidence) if evidence else []) or list(seen.scores())


def _open_line(line: LineRow) -> _Line:
    results = [cell.line for cell in line.cells]
    inputs = shared_inputs(line)
    own_inputs = [()] * len(results) if inputs is not None else fields_side_by_side(results, "inputs")
    outputs = fields_side_by_side(results)
    scores = _evaluations(line)
    cells = (
        _Cell(cell.row, cell.line, own_inputs[place], outputs[place], scores[place])
        for place, cell in enumerate(line.cells)
    )
    return _Line(line, inputs or (), tuple(cells))


def _evaluations(line: LineRow) -> list[tuple[_Evaluation, ...]]:
    """For each variant, what each evaluator said, compared between the variants."""
    names = dict.fromkeys(name for cell in line.cells for name in cell.evaluations)
    found: list[list[_Evaluation]] = [[] for _ in line.cells]
    for name in names:
        results = [cell.evaluations.get(name) for cell in line.cells]
        for place, (result, fields) in enumerate(zip(results, fields_side_by_side(results), strict=True)):
            if result is not None:
                found[place].append(_Evaluation(name, fields, result.error))
    return [tuple(evaluations) for evaluations in found]
