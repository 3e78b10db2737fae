"""The sentences of gates, and how one value meets one threshold."""

from __future__ import annotations

from flowyard._util.numbers import percent_text
from flowyard.decisions.methods import Compared
from flowyard.decisions.model import Estimate, Interval, Metric, Verdict
from flowyard.decisions.policy import Gate
from flowyard.decisions.versions import Versions

__all__ = ["all_failed_text", "compared_text", "estimate_text", "number_text", "verdict_of"]


def verdict_of(gate: Gate, found: Estimate) -> Verdict:
    """An absolute gate on a measured value; with a confidence, on both ends of its interval."""
    if gate.confidence is None or found.interval is None:
        return "pass" if _meets(gate, found.value) else "fail"
    ends = (_meets(gate, found.interval.low), _meets(gate, found.interval.high))
    if all(ends):
        return "pass"
    return "inconclusive" if any(ends) else "fail"


def _meets(gate: Gate, value: float) -> bool:
    if gate.condition == "at_least":
        return value >= gate.number
    if gate.condition == "at_most":
        return value <= gate.number
    return value > gate.number if gate.condition == "above" else value < gate.number


def estimate_text(found: Estimate) -> str:
    """``accuracy is 0.87 (95 % interval 0.79 to 0.92, Wilson) over 100 lines, 2 of them failed.``"""
    text = (
        f"{found.metric.name} is {number_text(found.value)}{_interval_text(found.interval)} over {_lines(found.lines)}"
    )
    if found.failed_lines and found.metric.kind != "total":
        text += f", {found.failed_lines:,} of them failed"
    return text + "."


def compared_text(metric: Metric, compared: Compared, against: str, test: str) -> str:
    """``accuracy is 0.03 above baseline (95 % interval …) on 100 lines: 8 won, 5 lost; McNemar mid-p``."""
    size = number_text(abs(compared.value))
    where = "the same as" if not compared.value else f"{size} {'above' if compared.value > 0 else 'below'}"
    return (
        f"{metric.name} is {where} {against}{_interval_text(compared.interval)} on {_lines(compared.lines)}: "
        f"{compared.won:,} won, {compared.lost:,} lost; {test}"
    )


def number_text(value: float) -> str:
    """Four digits, without an exponent where it can be done."""
    text = f"{value:.4g}"
    return f"{value:,.0f}" if "e+" in text else text


def all_failed_text(versions: Versions) -> str | None:
    """Why no line has a metric of an evaluator: all lines of the flow failed, or all of some evaluators; else None."""
    runs = [each.run for each in versions.runs]
    if runs and all(run.lines.total and not run.lines.completed for run in runs):
        return f"all {_lines(sum(run.lines.total for run in runs))} of the flow failed"
    failed = []
    for name in versions.evaluators:
        judged = [each.evaluations[name].lines for each in versions.runs if name in each.evaluations]
        if any(lines.total for lines in judged) and not any(lines.completed for lines in judged):
            failed.append(f"all {_lines(sum(lines.total for lines in judged))} of the evaluator {name!r} failed")
    return ", and ".join(failed) or None


def _interval_text(interval: Interval | None) -> str:
    if interval is None:
        return ""
    ends = f"{number_text(interval.low)} to {number_text(interval.high)}"
    return f" ({percent_text(interval.confidence, 2)} interval {ends}, {interval.method})"


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"
