"""Printing: JSON for machines on stdout, tables for people; and the exit code of an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.files import dump_json
from flowyard._util.printable import printable_text
from flowyard.errors import ExitCode
from flowyard.records import ErrorRecord, LineResult, RunRecord
from flowyard.runs.cost_text import cost_text
from flowyard.runs.results import failed_lines

__all__ = [
    "failed_lines_code",
    "path_from_here",
    "print_errors",
    "print_json",
    "print_run",
    "print_run_record",
    "print_warnings",
    "run_view",
    "summary_line",
    "user_prints_to_stderr",
]


def user_prints_to_stderr() -> AbstractContextManager[TextIO]:
    """Keeps stdout for our answer: what a flow's code prints meanwhile goes to stderr."""
    return redirect_stdout(sys.stderr)


def path_from_here(path: Path) -> str:
    """A path as people type it: from the working directory on, where it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON value on stdout; NaN and infinity, which JSON does not have, are null."""
    plain = json.loads(dump_json(value), parse_constant=lambda _: None)
    click.echo(dump_json(plain, indent=indent))


def run_view(run: RunRecord) -> dict[str, Any]:
    """What machines get of a run: the names in it are a contract."""
    return {
        "name": run.name,
        "status": run.status,
        "lines": {"total": run.lines.total, "completed": run.lines.completed, "failed": run.lines.failed},
        "metrics": dict(run.metrics),
        "outputs": str(run.outputs_path),
        "path": str(run.path),
        "flow": run.flow,
        "data": run.data,
        "variant": run.variant,
        "base_run": run.base_run,
        "column_mapping": dict(run.column_mapping),
        "usage": run.usage,
        "simulated": run.simulated,
        "created_at": run.created_at,
        "duration_s": round(run.duration_s, 3),
        "errors": run.errors,
        "warnings": list(run.warnings),
        "display_name": run.display_name,
        "description": run.description,
        "tags": dict(run.tags),
        "properties": dict(run.properties),
        "archived": run.archived,
        "resumed_from": run.resumed_from,
        "source": run.source,
        "flow_digest": run.flow_digest,
        "data_digest": run.data_digest,
    }


def print_run_record(run: RunRecord, *, as_json: bool) -> None:
    """A run as one JSON value, or for a person with its first failed lines."""
    if as_json:
        print_json(run_view(run))
    else:
        print_run(run, islice(failed_lines(run), 5) if run.lines.failed else ())


def print_run(run: RunRecord, failed: Iterable[LineResult]) -> None:
    """A run for a person: what it was, how it went, its metrics, its first failed lines and where everything is."""
    facts: dict[str, Any] = {
        "Run": run.name,
        "Name": run.display_name,
        "About": run.description,
        "Tags": ", ".join(f"{name}={value}" for name, value in run.tags.items()),
        "Status": f"{run.status}, archived" if run.archived else run.status,
        "Lines": f"{run.lines.completed} completed, {run.lines.failed} failed of {run.lines.total}",
        "Variant": run.variant,
        "Evaluates": run.base_run,
        "Resumes": run.resumed_from,
        "From": run.source,
        "Model": f"{run.usage.calls} calls, {run.usage.total_tokens:,} tokens" if run.usage.calls else None,
        "Cache": run.usage.kept_text,
        "Cost": cost_text(run.usage),
        "Refused": f"{run.usage.refused_calls:,} attempts" if run.usage.refused_calls else None,
        "Simulated": "yes: answers come from a simulated model" if run.simulated else None,
        "Results": str(run.path),
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<11}{value}")
    if run.metrics:
        from flowyard.cli.shared.tables import print_table  # noqa: PLC0415 - drawing is heavy, and most runs have no metrics

        print_table(["metric", "value"], sorted(run.metrics.items()))
    print_errors(((f"line {line.line_number}", line.error) for line in failed if line.error), run.lines.failed)
    print_errors((("aggregation", error) for error in run.errors), len(run.errors))


def summary_line(run: RunRecord) -> str:
    """How a run ended, in one line."""
    rate = (run.lines.completed + run.lines.failed) / max(run.duration_s, 1e-6)
    tokens = f", {run.usage.total_tokens:,} tokens" if run.usage.total_tokens else ""
    tokens += f", {run.usage.kept_text}" if run.usage.kept_text else ""
    cost = f", {cost_text(run.usage)}" if cost_text(run.usage) else ""
    simulated = " (simulated model)" if run.simulated else ""
    counts = f"{run.lines.completed} completed, {run.lines.failed} failed of {run.lines.total}"
    kept = f"; what finished is kept, go on with: flowyard run resume {run.name}" if run.status == "canceled" else ""
    facts = f"{tokens}{cost}{simulated}{kept}"
    return f"{run.name}: {run.status}, {counts}, {run.duration_s:.1f} s, {rate:.0f} lines/s{facts}"


def print_errors(errors: Iterable[tuple[str, ErrorRecord]], total: int, *, most: int = 5) -> None:
    """The first few failures on stderr."""
    shown = 0
    for label, error in errors:
        if shown == most:
            break
        start = f"Failed {label}" if label else "Failed"
        node = f" in {error.node}" if error.node else ""
        where = f" ({error.where})" if error.where else ""
        said = without_ci_commands(printable_text(f"{error.type}: {error.message}{where}"))
        click.echo(click.style(f"{start}{node}: ", fg="red") + said, err=True)
        shown += 1
    if total > shown:
        click.echo(f"… and {total - shown} more failed.", err=True)


def print_warnings(warnings: Iterable[str]) -> None:
    """Warnings on stderr, one a line. What data or a model named in them cannot steer the terminal or a CI system."""
    for warning in warnings:
        shown = without_ci_commands(printable_text(warning))
        click.echo(click.style("Warning: ", fg="yellow") + shown, err=True)


def failed_lines_code(runs: Iterable[RunRecord], tolerated: int = 0) -> int:
    """1 when more lines failed than are tolerated, or an aggregation node failed; else 0."""
    listed = list(runs)
    failed = sum(run.lines.failed for run in listed)
    if failed > tolerated or any(run.errors for run in listed):
        return ExitCode.FAILED_LINES
    return ExitCode.DONE
