"""What an experiment came to, on the terminal and for machines, and the exit code that says it."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from flowyard.cli.shared.output import print_warnings, run_view
from flowyard.cli.shared.tables import printable
from flowyard.decisions.model import Evidence, GateResult, Verdict
from flowyard.decisions.policy import DecisionPolicy
from flowyard.errors import ExitCode, UserError
from flowyard.experiments.policy import gate_view
from flowyard.records import ExperimentRecord, sum_usage

__all__ = ["check_finished", "experiment_view", "gate_code", "print_gates", "print_races", "resume_words"]

_WIDTH = 80
_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_ORDER: tuple[Verdict, ...] = ("pass", "inconclusive", "fail")
_WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


def experiment_view(record: ExperimentRecord, evidence: Evidence) -> dict[str, Any]:
    """What machines get of an experiment; the names in it are a contract."""
    usage = sum_usage(run.usage for run in record.runs)
    return {
        "name": record.name,
        "key": record.key,
        "path": str(record.path),
        "simulated": record.simulated,
        "runs": [_run_view(record, run.name) for run in record.runs if run.name not in record.evaluations],
        "gates": [gate_view(gate) for gate in evidence.gates],
        "verdict": evidence.verdict,
        "baseline": evidence.baseline,
        "races": list(record.races),
        "warnings": list(evidence.warnings),
        "usage": {
            "model_calls": usage.calls,
            "cached_calls": usage.cached_calls,
            "tokens": usage.total_tokens,
            "cost_usd": usage.cost_usd,
        },
    }


def resume_words(record: ExperimentRecord) -> str:
    """The command that goes on with an execution."""
    return f"flowyard experiment resume {shlex.quote(f'{record.name}/{record.key}')}"


def check_finished(record: ExperimentRecord) -> None:
    """Warn of an execution that was stopped. Raises UserError when it has no run yet."""
    if record.is_finished:
        return
    if not record.runs:
        raise UserError(f"Of the experiment {record.name}/{record.key} nothing was run yet.", hint=resume_words(record))
    print_warnings([f"It was stopped before all was run. Go on with: {resume_words(record)}"])


def gate_code(evidence: Evidence, policy: DecisionPolicy) -> ExitCode | None:
    """3 when a gate says no, or cannot tell and the policy does not let that pass; None otherwise."""
    if evidence.verdict == "fail" or (evidence.verdict == "inconclusive" and policy.inconclusive == "fail"):
        return ExitCode.GATE_NO
    return None


def print_gates(gates: Sequence[GateResult], policy: DecisionPolicy) -> None:
    """Every gate with its reason, the failed ones last, where they are seen.

    Of a gate that judged several versions on a dataset, one with the worst verdict is shown, and how it went for all.
    """
    if not gates:
        return
    click.echo("\nGates")
    judged: dict[tuple[object, ...], list[GateResult]] = {}
    for gate in gates:
        judged.setdefault((gate.gate, gate.where, gate.dataset, *gate.slice.items()), []).append(gate)
    worst = [(max(each, key=_severity), each) for each in judged.values()]
    for gate, several in sorted(worst, key=lambda each: _severity(each[0])):
        _print_gate(gate, several)
    counts = Counter(gate.verdict for gate in gates)
    said = _counted(gates)
    lenient = " (inconclusive: pass)" if counts["inconclusive"] and policy.inconclusive == "pass" else ""
    click.echo(f"Of {len(gates)}: {said}{lenient}.")


def print_races(races: Sequence[Mapping[str, Any]]) -> None:
    """Who was dropped, and what that spared."""
    for race in races:
        click.echo()
        for drop in race["drops"]:
            text = (
                f"Dropped {drop['version']} on {race['dataset']} after {drop['after_lines']:,} of {race['lines']:,} "
                f"lines: {drop['beaten_by']} has the better {race['metric']} (p = {drop['p_value']:.2g})."
            )
            _print_wrapped(text, "")
        spared = race["spared"]
        if race["drops"]:
            cost = f" and ${spared['cost_usd']:,.4f}" if spared["cost_usd"] else ""
            text = f"The race on {race['dataset']} spared {spared['lines']:,} lines, {spared['calls']:,.0f} model calls"
            _print_wrapped(f"{text}{cost}.", "")
        if race["note"]:
            _print_wrapped(race["note"], "")


def _run_view(record: ExperimentRecord, name: str) -> dict[str, Any]:
    runs = {run.name: run for run in record.runs}
    run = runs[name]
    evaluations = [
        {**run_view(runs[each]), "evaluator": evaluator, "dataset": runs[each].dataset}
        for each, (evaluator, evaluated) in record.evaluations.items()
        if evaluated == name and each in runs
    ]
    return {
        **run_view(run),
        "dataset": run.dataset,
        "variant": record.labels.get(name) or run.variant,
        "evaluations": evaluations,
    }


def _severity(gate: GateResult) -> int:
    return _ORDER.index(gate.verdict)


def _counted(gates: Sequence[GateResult]) -> str:
    """``3 passed, 1 failed``"""
    counts = Counter(gate.verdict for gate in gates)
    return ", ".join(f"{counts[verdict]} {_WORDS[verdict]}" for verdict in _ORDER if counts[verdict])


def _print_gate(gate: GateResult, several: Sequence[GateResult]) -> None:
    """One gate; ``several`` are its results for all versions that it judged, this one among them."""
    click.secho(f"  {gate.verdict:<13}", fg=_COLOURS[gate.verdict], nl=False)
    click.echo(printable(gate.gate))
    place = ", ".join(
        [each for each in (gate.dataset, gate.version) if each]
        + [f"{column}={value}" for column, value in gate.slice.items()]
    )
    _print_wrapped(f"{place}: {gate.reason}" if place else gate.reason, " " * 15)
    if len(several) > 1:
        _print_wrapped(f"Of {len(several)} versions: {_counted(several)}. The others are in the reports.", " " * 15)


def _print_wrapped(text: str, indent: str) -> None:
    for line in textwrap.wrap(printable(text), _WIDTH - len(indent), break_on_hyphens=False):
        click.echo(f"{indent}{line}")
