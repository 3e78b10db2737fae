"""The report for a comment on a pull request or a job's summary: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard._util.numbers import percent_text
from flowyard.abc import ReportFormat
from flowyard.decisions.model import Evidence, GateResult
from flowyard.records import Comparison
from flowyard.reports.file_names import file_stem
from flowyard.reports.headline import cautions
from flowyard.reports.leaderboard import (
    Leaderboard,
    Score,
    Standing,
    change_text,
    leaderboards,
    range_text,
    winner_text,
)
from flowyard.reports.lines import Failure, find_failures
from flowyard.reports.markdown_text import literal, table_lines
from flowyard.reports.table import Summary
from flowyard.reports.values import count_or_number, metric_text, ms_text, plural, seconds_text
from flowyard.runs.cost_text import usd_text

__all__ = ["MOST_CHARACTERS", "MarkdownReport", "render_markdown"]

MOST_CHARACTERS = 60_000
"""GitHub refuses a comment of more than 65,536 characters; a bot may want to add some of its own."""

_MOST_METRICS, _MOST_VERSIONS, _MOST_FAILURES, _MOST_DATASETS = 4, 25, 10, 6
_VERDICTS = {"pass": "✅ Passed", "fail": "❌ Failed", "inconclusive": "⚠️ Inconclusive"}
_SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "⚠️ inconclusive"}


@dataclass(frozen=True, slots=True)
class MarkdownReport(ReportFormat):
    """``report.md``"""

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        path = folder / "report.md"
        write_atomic(path, render_markdown(comparison, self.summary, evidence))
        return [path]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some lines that belong together. ``rows`` may be left out from the end; ``noun`` is what one of them is."""

    start: Sequence[str]
    rows: Sequence[str] = ()
    noun: str = "row"
    left_out: int = 0


def render_markdown(
    comparison: Comparison, summary: Summary, evidence: Evidence | None, *, most: int = MOST_CHARACTERS
) -> str:
    """The text, with at most ``most`` characters as GitHub counts them; it says what was left out."""
    text = ""
    for part in _parts(comparison, summary, evidence):
        text += _fitted(part, most - _size(text))
    return text


def _parts(comparison: Comparison, summary: Summary, evidence: Evidence | None) -> Iterator[_Part]:
    """From the most important to the least; the last ones are left out first."""
    boards = leaderboards(summary, evidence)
    yield _title(comparison, summary, evidence, boards)
    if evidence is not None and evidence.gates:
        yield _gates(evidence.gates)
    failures = [each for table in summary.datasets for each in find_failures(table)]
    for board in boards:
        yield _board(board, summary, evidence)
    notes = [*cautions(summary, evidence), *_counted(boards, evidence), *(evidence.warnings if evidence else ())]
    if notes:
        yield _Part(["### Mind", ""], [f"- {literal(note, most=500)}" for note in notes], "caution")
    if failures:
        yield _failures(failures)
    if evidence is not None and evidence.agreements:
        yield _Part(["### Judges", ""], [f"- {literal(each, most=500)}" for each in evidence.agreements], "sentence")
    yield _Part([_origin(comparison)])


def _fitted(part: _Part, room: int) -> str:
    """The part with as many of its rows as there is room for; empty when its start does not fit."""
    rows = list(part.rows)
    while rows or not part.rows:
        missing = len(part.rows) - len(rows) + part.left_out
        more = [f"\n*… and {plural(missing, f'more {part.noun}')}: see report.html.*"] if missing else []
        text = "\n".join([*part.start, *rows, *more]).rstrip("\n") + "\n\n"
        if _size(text) <= room:
            return text
        if not rows:
            break
        del rows[-max(1, len(rows) // 8) :]
    cut = "*… more is in report.html; it does not fit into a comment.*\n"
    return cut if _size(cut) <= room else ""


def _size(text: str) -> int:
    """How many characters GitHub counts: one beyond the basic plane is two."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def _title(comparison: Comparison, summary: Summary, evidence: Evidence | None, boards: Sequence[Leaderboard]) -> _Part:
    verdict = evidence.verdict if evidence else None
    name = literal(comparison.title, most=120)
    lines = [_marker(comparison), f"## {_VERDICTS[verdict] if verdict else 'Compared'}: {name}", ""]
    if evidence is not None and evidence.gates:
        lines += [_gate_count(evidence.gates), ""]
    lines += [f"{each}\n" for each in _leading(boards)]
    notes = [each for each in (summary.simulated_note, summary.cost_note) if each]
    return _Part([*lines, *(f"{literal(note, most=500)}\n" for note in notes)])


def _marker(comparison: Comparison) -> str:
    """A comment that is not shown, the same for each execution, by which a bot finds its comment again."""
    return f"<!-- flowyard: {file_stem(comparison.title, comparison.env)} -->"


def _gate_count(gates: Sequence[GateResult]) -> str:
    counts = {name: sum(gate.verdict == name for gate in gates) for name in ("pass", "fail", "inconclusive")}
    words = {"pass": "passed", "fail": "failed", "inconclusive": "are undecided"}
    said = ", ".join(f"{count} {words[name]}" for name, count in counts.items() if count)
    return f"Of {plural(len(gates), 'gate')}: {said}."


def _leading(boards: Sequence[Leaderboard]) -> Iterator[str]:
    """Who leads each dataset on its first metric, where there is somebody to lead."""
    for board in boards[:_MOST_DATASETS]:
        metric = next(iter(board.metrics), "")
        leaders = [each for each in board.standings if metric and each.scores[metric].best]
        if not leaders:
            continue
        where = f" on {literal(board.dataset, most=60)}" if len(boards) > 1 else ""
        names = ", ".join(f"**{literal(each.row.label, most=80)}**" for each in leaders[:3])
        more = f" and {len(leaders) - 3} more" if len(leaders) > 3 else ""
        rest = [metric_text(each.scores[metric].value) for each in board.standings if each not in leaders]
        than = f"; the next best has {literal(rest[0])}" if rest else "; all have the same"
        value = metric_text(leaders[0].scores[metric].value)
        yield f"Best {literal(metric, most=60)}{where}: {names}{more} with {value}{than}."


def _gates(gates: Sequence[GateResult]) -> _Part:
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    rows = [
        f"| {_SIGNS[gate.verdict]} | {literal(gate.gate)} | {literal(_subject(gate))} | {_gate_value(gate)} | "
        f"{literal(gate.reason, most=300)} |"
        for gate in sorted(gates, key=lambda gate: order[gate.verdict])
    ]
    return _Part(["### Gates", "", *table_lines(["verdict", "gate", "of", "value", "why"])], rows, "gate")


def _subject(gate: GateResult) -> str:
    where = [f"{column}={value}" for column, value in gate.slice.items()]
    return " · ".join([*(each for each in (gate.version, gate.dataset) if each), *where]) or "all"


def _gate_value(gate: GateResult) -> str:
    value = "" if gate.value is None else metric_text(count_or_number(gate.metric, gate.value))
    return f"{value}<br>{range_text(gate.interval)}" if gate.interval else value


def _board(board: Leaderboard, summary: Summary, evidence: Evidence | None) -> _Part:
    metrics = board.metrics[:_MOST_METRICS]
    costs = ["cost"] if summary.has_costs else []
    columns = ["version", *(literal(name, most=60) for name in metrics), "failed", "p50", "p95", "tokens", *costs]
    rows = [_standing(each, metrics, costs=bool(costs)) for each in board.standings]
    title = f"### {literal(board.dataset, most=80)}" if len(summary.datasets) > 1 else "### Versions"
    start = [title, "", *table_lines(columns, numbers=range(1, len(columns)))]
    if (said := _how_to_read(board, evidence)) is not None:
        start = [start[0], "", said, *start[1:]]
    return _Part(start, rows[:_MOST_VERSIONS], "version", max(0, len(rows) - _MOST_VERSIONS))


def _how_to_read(board: Leaderboard, evidence: Evidence | None) -> str | None:
    """What the second line of a cell is, and what is not in the table."""
    scores = [score for standing in board.standings for score in standing.scores.values()]
    parts = []
    if interval := next((score.interval for score in scores if score.interval), None):
        parts.append(f"In brackets: {percent_text(interval.confidence, 2)} intervals.")
    if evidence is not None and evidence.baseline and any(score.difference for score in scores):
        parts.append(f"Below: difference to the baseline {literal(evidence.baseline, most=80)}.")
    if len(board.metrics) > _MOST_METRICS:
        parts.append(f"{plural(len(board.metrics) - _MOST_METRICS, 'more metric')} in report.html and metrics.csv.")
    return " ".join(parts) or None


def _standing(standing: Standing, metrics: Sequence[str], *, costs: bool) -> str:
    row = standing.row
    name = literal(row.label, most=120) + (" *(baseline)*" if standing.is_baseline else "")
    failed = f"**{row.lines.failed:,}** of {row.lines.total:,}" if row.lines.failed else "0"
    latency = [ms_text(value) for value in ((row.latency.p50_ms, row.latency.p95_ms) if row.latency else (None, None))]
    money = [literal(usd_text(row.usage.cost_usd))] if costs else []
    scores = [_score(standing.scores[metric]) for metric in metrics]
    return f"| {' | '.join([name, *scores, failed, *latency, f'{row.usage.total_tokens:,}', *money])} |"


def _score(score: Score) -> str:
    value = literal(metric_text(score.value))
    text = f"**{value}**" if score.best else value
    text += f" {range_text(score.interval)}" if score.interval else ""
    if score.difference is not None:
        text += f"<br>{winner_text(score.difference)} {change_text(score.difference)}"
    return text


def _counted(boards: Sequence[Leaderboard], evidence: Evidence | None) -> Iterator[str]:
    """How failed lines count in the metrics of the tables that count them."""
    shown = {name for board in boards for name in board.metrics[:_MOST_METRICS]}
    counting = {each.metric.name: each.metric for each in (evidence.estimates if evidence else ()) if each.failed_lines}
    for name, metric in counting.items():
        if name in shown and metric.kind != "total" and metric.meaning:
            yield f"{name}: {metric.meaning}"


def _failures(failures: Sequence[Failure]) -> _Part:
    ranked = sorted(failures, key=lambda each: each.count, reverse=True)
    rows = []
    for each in ranked[:_MOST_FAILURES]:
        where = " · ".join(part for part in (each.row.label, each.evaluator, each.node) if part)
        numbers = ", ".join(map(str, each.line_numbers[:5])) + (" …" if each.count > 5 else "")
        rows.append(
            f"| {each.count:,} | {literal(where, most=120)} | {literal(f'{each.type}: {each.message}')} | {numbers} |"
        )
    start = ["### Failed lines", "", *table_lines(["lines", "where", "error", "numbers"], numbers=[0])]
    return _Part(start, rows, "kind of failure", max(0, len(ranked) - _MOST_FAILURES))


def _origin(comparison: Comparison) -> str:
    env = f"env {comparison.env}" if comparison.env else None
    took = f"{seconds_text(comparison.duration_s)}" if comparison.duration_s is not None else None
    made = comparison.created_at[:16].replace("T", " ") + " UTC" if comparison.created_at else None
    parts = [part for part in (comparison.key, env, made, took) if part]
    return f"<sub>flowyard · {' · '.join(literal(part, most=80) for part in parts)}</sub>"
