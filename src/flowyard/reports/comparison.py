"""What is compared: the variants of an experiment, or runs that a person chose."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.model import Evidence
from flowyard.experiments.comparison import compare_variants
from flowyard.records import Comparison, RunRecord

__all__ = ["compare_runs", "compare_variants", "comparison_page", "evidence_of_runs"]


def compare_runs(runs: Sequence[RunRecord]) -> Comparison:
    """These runs side by side, each once.

    An evaluation of one of them is shown as that run's scores; one whose base run is not among them is a run like any
    other. Runs over the same data are compared; runs over different data stand apart.
    """
    named = {run.name: run for run in runs}
    evaluations = _evaluations(list(named.values()))
    shown = [run for run in named.values() if run.name not in evaluations]
    return Comparison(
        title=" · ".join(_label(run) for run in shown),
        noun="run",
        runs=tuple(named.values()),
        created_at=datetime.now(UTC).isoformat(),
        variants={run.name: run.assignment for run in shown},
        evaluations=evaluations,
        labels={run.name: _label(run) for run in shown},
        datasets=_datasets(shown),
    )


def evidence_of_runs(comparison: Comparison) -> Evidence | None:
    """What chosen runs show, line by line; None unless at least two of them ran over the same data.

    The first run of all is the baseline. Raises StoreError for damaged lines.
    """
    shown = [comparison.datasets[run.name] for run in comparison.runs if run.name in comparison.datasets]
    return gather_evidence(comparison) if len(set(shown)) < len(shown) else None


def comparison_page(home: Path, names: Sequence[str]) -> Path:
    """Where the page of these runs goes; one of its own, so that one comparison never replaces another."""
    folder = home / "comparisons"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(",".join(names).encode()).hexdigest()[:8]
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', '_'.join(names))[:80]}_{digest}.html"


def _label(run: RunRecord) -> str:
    return run.display_name or run.name


def _evaluations(runs: Sequence[RunRecord]) -> dict[str, tuple[str, str]]:
    """``{evaluation: (evaluator, base run)}``, with the run's name where one evaluator judged a run twice."""
    names = {run.name for run in runs}
    judging = [run for run in runs if run.base_run in names]
    found: dict[str, tuple[str, str]] = {}
    for run in judging:
        evaluator = _flow_name(run)
        twice = sum(_flow_name(other) == evaluator and other.base_run == run.base_run for other in judging) > 1
        found[run.name] = (f"{evaluator} ({run.name})" if twice else evaluator, str(run.base_run))
    return {name: use for name, use in found.items() if use[1] not in found}


def _flow_name(run: RunRecord) -> str:
    flow = Path(run.flow)
    return flow.parent.name if flow.name.startswith("flow.") else flow.stem


def _datasets(runs: Iterable[RunRecord]) -> Mapping[str, str]:
    """What each run ran over: the name of its data, with as many folders as tell it from other data of that name."""
    paths = {run.name: Path(run.data).parts if run.data else () for run in runs}
    depth = 1
    while depth < max(map(len, paths.values()), default=1) and _ambiguous(paths.values(), depth):
        depth += 1
    return {name: "/".join(parts[-depth:]) or "data" for name, parts in paths.items()}


def _ambiguous(paths: Iterable[tuple[str, ...]], depth: int) -> bool:
    different = set(paths)
    return len({parts[-depth:] for parts in different}) < len(different)
