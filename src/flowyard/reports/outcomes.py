"""What one execution of an experiment came to, in a few values: a row of the index and of ``experiment list``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.typed_json import from_plain, to_plain
from flowyard.decisions.model import Evidence, Verdict
from flowyard.records import ExperimentRecord
from flowyard.reports.leaderboard import leaderboards
from flowyard.reports.table import Summary
from flowyard.reports.values import is_ranked

__all__ = [
    "OUTCOME",
    "Outcome",
    "experiment_outcome",
    "iter_outcomes",
    "plain_outcome",
    "read_outcome",
    "write_outcome",
]

OUTCOME = "outcome.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One execution. ``best`` is the version that leads ``dataset``, the first one, on ``metric``, its main metric.

    ``low`` and ``high`` are the interval of ``value``. ``failed`` of ``lines`` lines failed, evaluations left out.
    """

    name: str
    key: str
    created_at: str
    env: str | None = None
    verdict: Verdict | None = None
    dataset: str | None = None
    best: str | None = None
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 0
    lines: int = 0
    failed: int = 0
    cost_usd: float = 0.0
    duration_s: float = 0.0
    simulated: bool = False


def experiment_outcome(experiment: ExperimentRecord, summary: Summary, evidence: Evidence | None) -> Outcome:
    """The outcome of an execution, from the same numbers as its reports."""
    board = next(iter(leaderboards(summary, evidence)), None)
    leader = board.standings[0] if board and board.standings else None
    scores = leader.scores.items() if leader else ()
    metric, score = next(((name, each) for name, each in scores if is_ranked(each.value)), (None, None))
    interval = score.interval if score else None
    return Outcome(
        name=experiment.name,
        key=experiment.key,
        created_at=experiment.created_at,
        env=experiment.env,
        verdict=evidence.verdict if evidence else None,
        dataset=board.dataset if board else None,
        best=leader.row.label if leader else None,
        metric=metric,
        value=float(score.value) if score else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        runs=len(summary.rows),
        lines=sum(row.lines.total for row in summary.rows),
        failed=sum(row.lines.failed for row in summary.rows),
        cost_usd=summary.usage.cost_usd,
        duration_s=experiment.duration_s,
        simulated=experiment.simulated,
    )


def write_outcome(outcome: Outcome, folder: Path) -> Path:
    """Write ``outcome.json`` into an execution's folder."""
    path = folder / OUTCOME
    write_atomic(path, dump_json(to_plain(outcome), indent=2) + "\n")
    return path


def read_outcome(folder: Path) -> Outcome | None:
    """The outcome in an execution's folder; None when it is missing or damaged."""
    try:
        outcome: Outcome = from_plain(Outcome, json.loads((folder / OUTCOME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return outcome


def iter_outcomes(experiments: Path) -> Iterator[tuple[Path, Outcome]]:
    """Every execution below the folder of all experiments that has an outcome, with its folder; in no order."""
    for file in experiments.glob(f"*/*/{OUTCOME}"):
        if (outcome := read_outcome(file.parent)) is not None:
            yield file.parent, outcome


def plain_outcome(experiment: ExperimentRecord) -> Outcome:
    """What the record alone says of an execution whose reports were never written, because it was stopped."""
    runs = [run for run in experiment.runs if run.name not in experiment.evaluations]
    return Outcome(
        name=experiment.name,
        key=experiment.key,
        created_at=experiment.created_at,
        env=experiment.env,
        runs=len(runs),
        lines=sum(run.lines.total for run in runs),
        failed=sum(run.lines.failed for run in runs),
        cost_usd=sum(run.usage.cost_usd for run in experiment.runs),
        duration_s=experiment.duration_s,
        simulated=experiment.simulated,
    )
