"""Carrying out what an experiment plans, and what follows: the decision, the reports and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from flowyard.app import App
from flowyard.cli.experiment.look import print_reports
from flowyard.cli.experiment.result import experiment_view, gate_code, print_gates, print_races, resume_words
from flowyard.cli.shared.many_lines import ManyLines
from flowyard.cli.shared.output import failed_lines_code, print_json, print_warnings
from flowyard.cli.shared.pacing_options import budget_code
from flowyard.cli.shared.progress import choose_progress
from flowyard.cli.shared.track_option import publish_at_the_end
from flowyard.decisions.model import Evidence
from flowyard.decisions.policy import DecisionPolicy
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.execute import execute_experiment
from flowyard.experiments.plan import ExperimentPlan
from flowyard.records import Comparison, ExperimentRecord
from flowyard.reports import comparison_table, decide_and_report, report_paths, summarize
from flowyard.runs.budget import Budget

__all__ = ["carry_out_experiment", "print_result", "run_and_decide"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What an execution came to; ``files`` are its reports by format, ``budget`` what it may have used up."""

    record: ExperimentRecord
    comparison: Comparison
    evidence: Evidence
    files: Mapping[str, Sequence[Path]]
    budget: Budget


def carry_out_experiment(
    plan: ExperimentPlan,
    policy: DecisionPolicy,
    app: App,
    many: ManyLines,
    *,
    earlier: ExperimentRecord | None = None,
    max_failed_lines: int,
    track: str | None = None,
    as_json: bool,
) -> int:
    """Run the plan, or what is left of it in ``earlier``, decide, write reports and print; returns the exit code.

    Then publish it to ``track``, which changes nothing of the answer when it fails.
    """
    begun: list[ExperimentRecord] = []
    try:
        decided = run_and_decide(plan, policy, app, many, earlier=earlier, on_begin=begun.append)
    except BaseException:
        for each in begun:
            _say_unfinished(each)
        raise
    record, evidence = decided.record, decided.evidence
    print_result(record, decided.comparison, evidence, policy, decided.files, as_json=as_json)
    if not record.is_finished:
        _say_unfinished(record)
    elif track:
        publish_at_the_end(record, track, app)
    planned = sum(1 + len(each.evaluations) for each in plan.runs)
    stopped = budget_code(record.runs, decided.budget, planned=planned)
    return stopped or gate_code(evidence, policy) or failed_lines_code(record.runs, max_failed_lines)


def run_and_decide(
    plan: ExperimentPlan,
    policy: DecisionPolicy,
    app: App,
    many: ManyLines,
    *,
    earlier: ExperimentRecord | None = None,
    on_begin: Callable[[ExperimentRecord], None],
) -> Decided:
    """Run the plan, or what is left of it in ``earlier``, decide and write the reports; tells of the beginning."""
    experiment = plan.experiment
    declared = [ExperimentConnections(experiment, app.environ)]
    parts = many.parts(app, choose_progress(), declared, limits=experiment.limits, cache=experiment.cache)
    work = execute_experiment(plan, parts, options=many.options, earlier=earlier, on_begin=on_begin)
    return Decided(*decide_and_report(many.carry_out(app, work), policy, app.store), parts.budget)


def _say_unfinished(record: ExperimentRecord) -> None:
    click.echo(f"What was run is kept. Go on with: {resume_words(record)}", err=True)


def print_result(
    record: ExperimentRecord,
    comparison: Comparison,
    evidence: Evidence,
    policy: DecisionPolicy,
    files: Mapping[str, Sequence[Path]],
    *,
    as_json: bool,
) -> None:
    """Print what an execution came to: the table, the gates and where the reports are; or one JSON value."""
    if as_json:
        print_json({**experiment_view(record, evidence), "reports": report_paths(files)})
        return
    print_warnings(evidence.warnings)
    Console().print(comparison_table(summarize(comparison), evidence))
    print_races(record.races)
    print_gates(evidence.gates, policy)
    print_reports(files)
