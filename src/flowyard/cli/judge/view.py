"""How a judge agrees with people, for machines and on a terminal of 80 columns."""

from __future__ import annotations

import math
from typing import Any

import click

from flowyard._util.numbers import percent_text
from flowyard.cli.shared.tables import print_table, printable
from flowyard.decisions.judge_check import JudgeCheck
from flowyard.runs.cost_text import cost_text
from flowyard.statistics.agreement import ConfusionMatrix, Share

__all__ = ["judge_check_view", "print_judge_check"]

_REASON_SHOWN = 120


def judge_check_view(check: JudgeCheck, kind: str) -> dict[str, Any]:
    """What machines get: the names in it are a contract."""
    found = check.agreement
    return {
        "type": kind,
        "metric": found.metric.name,
        "run": check.run.name,
        "lines": {
            "labelled": check.labelled_lines,
            "compared": found.lines,
            "ungraded": found.ungraded,
            "failed": check.failed_lines,
        },
        "agreed": found.agreed,
        "kappa": found.kappa,
        "weights": found.weights,
        "interval": found.interval,
        "mean": {"people": check.people_mean, "judge": check.judge_mean},
        "confusion": _matrix_view(found.matrix) if found.matrix else None,
        "differences": list(check.differences),
        "usage": check.run.usage,
        "simulated": check.run.simulated,
    }


def _matrix_view(matrix: ConfusionMatrix) -> dict[str, Any]:
    return {
        "grades": list(matrix.labels),
        "counts": [list(row) for row in matrix.counts],
        "recalls": [_share_view(each) for each in matrix.recalls],
        "precisions": [_share_view(each) for each in matrix.precisions],
    }


def _share_view(share: Share) -> dict[str, float]:
    return {"value": share.value, "low": share.interval.low, "high": share.interval.high}


def print_judge_check(check: JudgeCheck, kind: str, most: int) -> None:
    """Facts, the confusion matrix and the lines where judge and people differ most."""
    found = check.agreement
    facts = {
        "Judge": f"{kind}, run {check.run.name}",
        "Lines": f"{found.lines} of {check.labelled_lines} labelled ones compared",
        "No grade": f"{found.ungraded}, of which {check.failed_lines} failed" if found.ungraded else None,
        "Agreement": _agreed(check),
        "Kappa": _kappa(check),
        "Mean": f"people {check.people_mean:.4g}, judge {check.judge_mean:.4g}" if found.lines else None,
        "Cost": cost_text(check.run.usage),
        "Simulated": "yes: answers come from a simulated model" if check.run.simulated else None,
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':<11}{value}")
    if found.matrix is not None:
        _print_matrix(found.matrix)
    _print_differences(check, most)


def _agreed(check: JudgeCheck) -> str | None:
    found = check.agreement
    if not found.lines:
        return None
    return (
        f"{round(found.agreed * found.lines)} of {found.lines} lines have the same grade ({percent_text(found.agreed)})"
    )


def _kappa(check: JudgeCheck) -> str:
    found = check.agreement
    if found.kappa is None or found.interval is None:
        return "not defined, because there are no two grades to tell apart"
    weights = f", {found.weights} weights" if found.weights else ""
    low, high = found.interval.low, found.interval.high
    interval = f"{percent_text(found.interval.confidence, 2)} interval {low:.2f} to {high:.2f}"
    return f"{found.kappa:.2f}, {interval} (Cohen{weights})"


def _print_matrix(matrix: ConfusionMatrix) -> None:
    """Rows and columns that have no line at all are left out."""
    counts = matrix.counts
    size = range(len(matrix.labels))
    used = [at for at in size if any(counts[at]) or any(row[at] for row in counts)]
    click.echo()
    print_table(
        ["people \\ judge", *(f"{matrix.labels[at]:g}" for at in used), "recall"],
        [[f"{matrix.labels[row]:g}", *(counts[row][at] for at in used), _percent(matrix.recalls[row])] for row in used],
    )


def _percent(share: Share) -> str:
    return "" if math.isnan(share.value) else percent_text(share.value)


def _print_differences(check: JudgeCheck, most: int) -> None:
    shown = check.differences[:most]
    if not shown:
        return
    click.echo()
    rows = [[each.line_number, each.people, each.judge, _short(each.reason)] for each in shown]
    print_table(["line", "people", "judge", "the judge's reason"], rows, title="Where they differ most")
    if len(check.differences) > len(shown):
        click.echo(f"… and {len(check.differences) - len(shown)} more lines with different grades.")


def _short(text: str) -> str:
    plain = printable(" ".join(text.split()))
    return plain if len(plain) <= _REASON_SHOWN else f"{plain[: _REASON_SHOWN - 1]}…"
