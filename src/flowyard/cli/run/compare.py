"""``flowyard run compare``"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from flowyard._util.files import dump_json
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import print_json, print_warnings, run_view
from flowyard.cli.shared.tables import print_table, printable, shortened
from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.model import Difference
from flowyard.errors import UserError
from flowyard.records import LineResult, RunRecord
from flowyard.reports import compare_runs
from flowyard.reports.values import is_ranked, metric_text, seconds_text
from flowyard.runs.compare import LineComparison, compare_lines, differing_outputs

__all__ = ["compare"]

_Fact = tuple[str, Callable[[RunRecord], Any], Callable[[Any], str]]

_FACTS: tuple[_Fact, ...] = (
    ("completed lines", lambda run: run.lines.completed, metric_text),
    ("failed lines", lambda run: run.lines.failed, metric_text),
    ("model calls", lambda run: run.usage.calls, metric_text),
    ("cached calls", lambda run: run.usage.cached_calls, metric_text),
    ("tokens", lambda run: run.usage.total_tokens, metric_text),
    ("cost ($)", lambda run: run.usage.cost_usd, metric_text),
    ("saved ($)", lambda run: run.usage.saved_usd, metric_text),
    ("time", lambda run: run.duration_s, seconds_text),
)
_MOSTLY_ZERO = {"cached calls", "cost ($)", "saved ($)"}


@dataclass(frozen=True, slots=True)
class _Found:
    """What is compared: the runs, their metrics (those of their evaluations, too) and the lines that differ."""

    runs: Sequence[RunRecord]
    metrics: Mapping[str, Mapping[str, Any]]
    compared: int
    different: int
    shown: Sequence[LineComparison]
    differences: Sequence[Difference]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME…")
@click.option(
    "--max-lines", type=click.IntRange(0), default=10, show_default=True, help="Show so many lines that differ."
)
@store_options
def compare(names: tuple[str, ...], max_lines: int, home: str | None, as_json: bool) -> None:
    """Compare runs: metrics, lines, cost and time, and the lines that differ. Evaluations count for their base run."""
    store = open_store(home)
    found = _compared([store.get_run(name) for name in dict.fromkeys(names)], max_lines)
    if len({run.data for run in found.runs}) > 1:
        print_warnings(["The runs read different data; their lines are compared by number."])
    if as_json:
        print_json(_view(found))
    else:
        _print(found)


def _compared(runs: Sequence[RunRecord], most: int) -> _Found:
    evaluations = compare_runs(runs).evaluations
    shown = [run for run in runs if run.name not in evaluations]
    if len(shown) < 2:
        raise UserError("There are no two runs to compare.", hint="Name two, and their evaluations if you like.")
    metrics: dict[str, dict[str, Any]] = {}
    for run in runs:
        evaluator, base = evaluations.get(run.name, ("", run.name))
        for name, value in run.metrics.items():
            metrics.setdefault(f"{evaluator}.{name}" if evaluator else name, {})[base] = value
    compared = different = 0
    kept: list[LineComparison] = []
    for line in compare_lines(shown):
        compared += 1
        different += not line.same
        if not line.same and len(kept) < most:
            kept.append(line)
    differences = gather_evidence(compare_runs(runs)).differences
    return _Found(shown, metrics, compared, different, kept, differences)


def _view(found: _Found) -> dict[str, Any]:
    """What machines get; the names in it are a contract."""
    return {
        "runs": [run_view(run) for run in found.runs],
        "metrics": found.metrics,
        "lines": {
            "compared": found.compared,
            "same": found.compared - found.different,
            "different": found.different,
        },
        "differences": [_difference_view(each) for each in found.differences],
        "different": [
            {
                "line_number": line.line_number,
                "inputs": line.inputs,
                "results": {name: _result_view(each) for name, each in line.results.items()},
            }
            for line in found.shown
        ],
    }


def _difference_view(each: Difference) -> dict[str, Any]:
    return {
        "metric": each.metric.name,
        "dataset": each.dataset,
        "run": each.version,
        "baseline": each.baseline,
        "value": each.value,
        "interval": None if each.interval is None else [each.interval.low, each.interval.high],
        "p_value": each.p_value,
        "p_adjusted": each.p_adjusted,
        "method": each.method,
        "lines": each.lines,
        "won": each.won,
        "lost": each.lost,
        "winner": each.winner,
    }


def _result_view(line: LineResult | None) -> dict[str, Any] | None:
    return None if line is None else {"status": line.status, "outputs": line.outputs, "error": line.error}


def _print(found: _Found) -> None:
    letters = [chr(ord("A") + place) if place < 26 else str(place + 1) for place in range(len(found.runs))]
    for letter, run in zip(letters, found.runs, strict=True):
        click.echo(f"{letter}  {run.name}{f'  ({printable(run.display_name)})' if run.display_name else ''}")
    click.echo()
    changes = ["change"] if len(found.runs) == 2 else []
    print_table(["", *letters, *changes], _rows(found))
    _print_differences(found.differences, dict(zip(_labels(found), letters, strict=True)))
    click.echo(f"\n{found.different} of {found.compared} lines differ.")
    for line in found.shown:
        _print_line(line, letters)
    if found.different > len(found.shown):
        click.echo(f"… and {found.different - len(found.shown)} more: --max-lines {found.different}")


def _labels(found: _Found) -> list[str]:
    """What the evidence calls each run."""
    return [run.display_name or run.name for run in found.runs]


def _print_differences(differences: Sequence[Difference], letters: Mapping[str, str]) -> None:
    """What was tested line by line, with what chance would do as often after the correction for all of it."""
    tested = [each for each in differences if each.p_adjusted is not None and each.won + each.lost]
    if not tested:
        return
    click.echo("\nLine by line:")
    rows = []
    for each in tested:
        runs = f"{letters.get(each.version, each.version)} - {letters.get(each.baseline, each.baseline)}"
        won = f"{each.won}/{each.lost}"
        rows.append([runs, each.metric.name, metric_text(each.value), won, f"{each.p_adjusted:.2g}", each.winner])
    print_table(["", "metric", "difference", "won/lost", "p", "it is"], rows)


def _rows(found: _Found) -> list[list[str]]:
    rows = [_row("status", [run.status for run in found.runs], str)]
    for label, get, text in _FACTS:
        values = [get(run) for run in found.runs]
        if any(values) or label not in _MOSTLY_ZERO:
            rows.append(_row(label, values, text))
    for metric in sorted(found.metrics):
        rows.append(_row(metric, [found.metrics[metric].get(run.name) for run in found.runs], metric_text))
    return rows


def _row(label: str, values: Sequence[Any], text: Callable[[Any], str]) -> list[str]:
    cells = [label, *(text(value) for value in values)]
    if len(values) == 2:
        cells.append(_change(values[0], values[1], text))
    return cells


def _change(before: Any, after: Any, text: Callable[[Any], str]) -> str:
    if not is_ranked(before) or not is_ranked(after) or before == after:
        return ""
    return f"{'+' if after > before else '-'}{text(abs(after - before))}"


def _print_line(line: LineComparison, letters: Sequence[str]) -> None:
    click.secho(shortened(f"line {line.line_number}  {printable(dump_json(line.inputs))}"), bold=True)
    names = differing_outputs(line)
    for letter, result in zip(letters, line.results.values(), strict=True):
        click.echo(shortened(f"  {letter}  {printable(_outcome(result, names))}"))


def _outcome(line: LineResult | None, names: Sequence[str]) -> str:
    if line is None:
        return "was not run"
    if line.error is not None:
        return f"failed: {line.error.type}: {' '.join(line.error.message.split())}"
    return dump_json({name: line.outputs.get(name) for name in names or line.outputs})
