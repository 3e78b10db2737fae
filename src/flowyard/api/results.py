"""What an experiment came to, as Python code asks for it."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.api.frames import Frame, frame_of
from flowyard.api.line_rows import line_columns, line_rows
from flowyard.api.runs import Run
from flowyard.api.text import plain, table_html, table_text
from flowyard.decisions.model import Difference, Estimate, Evidence, GateResult, Interval, Verdict
from flowyard.errors import UserError
from flowyard.records import Comparison, ExperimentRecord
from flowyard.reports import Summary, VariantRow, summarize
from flowyard.reports.table import lower_is_better
from flowyard.runs.results import read_lines

__all__ = ["ExperimentResult"]

_START = ("dataset", "version", "run", "status")
_FIGURES = ("lines", "failed_lines", "evaluated_lines", "latency_p50_ms", "latency_p95_ms", "total_tokens", "cost_usd")
_DIFFERENCE = ("dataset", "metric", "version", "baseline", "value", "baseline_value", "difference")
_ESTIMATED = ("dataset", "metric", "version", "value", "low", "high", "confidence", "lines", "failed_lines")
_TESTED = (
    *("dataset", "metric", "version", "baseline", "difference", "low", "high", "confidence", "p_value", "p_adjusted"),
    *("winner", "won", "lost", "tied", "lines", "lines_needed", "method"),
)


class ExperimentResult:
    """One execution of an experiment. ``record`` has all runs, ``evidence`` what is known of the versions.

    A version is a variant, or a set of variants and parameters, by its label. ``reports`` are the files written, the
    most important first.
    """

    def __init__(
        self,
        record: ExperimentRecord,
        comparison: Comparison,
        evidence: Evidence | None,
        reports: Sequence[Path],
        home: Path,
        *,
        warnings: Sequence[str] = (),
    ) -> None:
        self.record = record
        self.reports = tuple(reports)
        self.evidence = evidence
        self.warnings = (*warnings, *(evidence.warnings if evidence else ()))
        self._comparison = comparison
        self._home = home

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def key(self) -> str:
        """The key of the execution, for ``Experiment.resume`` and the commands."""
        return self.record.key

    @property
    def verdict(self) -> Verdict | None:
        """``pass``, ``fail`` or ``inconclusive``; None when the experiment has no gates."""
        return self.evidence.verdict if self.evidence else None

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """What each gate said, and why."""
        return self.evidence.gates if self.evidence else ()

    @property
    def report(self) -> Path | None:
        """The page with everything; None when no page was written."""
        return next((file for file in self.reports if file.suffix == ".html"), None)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of all versions over all datasets, evaluations not among them."""
        return tuple(Run(row.run, self._home) for row in self._summary.rows)

    @property
    def evaluations(self) -> tuple[Run, ...]:
        """The runs of the evaluators."""
        return tuple(Run(run, self._home) for run in self.record.runs if run.name in self.record.evaluations)

    def metrics(self, frame: Frame | None = None) -> Any:
        """One row for each version of each dataset, as a ``DataFrame`` of pandas or polars.

        The columns are ``dataset``, ``version``, ``run``, ``status``, a column for each metric (``evaluator.metric``),
        line counts, ``latency_p50_ms`` and ``latency_p95_ms``, ``total_tokens`` and ``cost_usd``.
        """
        rows = [_metric_row(row) for row in self._summary.rows]
        return frame_of(rows, (*_START, *self._summary.metrics, *_FIGURES), frame)

    def estimates(self, frame: Frame | None = None) -> Any:
        """One row for each metric of each version, with its interval, as a ``DataFrame``; empty without evidence."""
        found = (_estimated(each) for each in (self.evidence.estimates if self.evidence else ()))
        return frame_of(found, _ESTIMATED, frame)

    def differences(self, frame: Frame | None = None) -> Any:
        """One row for each metric of each version beside the baseline, as a ``DataFrame``.

        With evidence: the difference line by line with its interval, p value and who won. Without: the difference of
        the two values, ``version`` minus ``baseline``, and nothing about how sure it is; the baseline is then the
        version that stands first.
        """
        if self.evidence is not None:
            return frame_of((_tested(each) for each in self.evidence.differences), _TESTED, frame)
        return frame_of(self._plain_differences(), _DIFFERENCE, frame)

    def details(self, frame: Frame | None = None, *, failed: bool = False) -> Any:
        """One row for each line of each version, only failed ones on request, as a ``DataFrame``.

        The columns are ``dataset``, ``version`` and those of ``Run.details``.
        """
        rows = [line for row in self._summary.rows for line in _lines_of(row, failed=failed)]
        return frame_of(rows, line_columns(rows, ("dataset", "version")), frame)

    def failed(self, frame: Frame | None = None) -> Any:
        """The failed lines of all versions, as ``details`` has them."""
        return self.details(frame, failed=True)

    def best(self, metric: str, dataset: str | None = None) -> Run:
        """The run with the best value of a metric; of equal ones, the first.

        ``metric`` may leave out its evaluator where that is clear; ``dataset`` is needed when there are several. Best
        is lowest for what is counted, such as latency and cost. Raises UserError when there is no such metric or
        dataset, or no version has a value.
        """
        rows = self._dataset_rows(dataset)
        name = self._metric_name(metric, rows)
        values = [(row.ranked_values()[name], row) for row in rows if name in row.ranked_values()]
        if not values:
            raise UserError(f"No version has a number for {name!r}.")
        sign = 1 if self._is_lower_better(name) else -1
        return Run(min(values, key=lambda pair: sign * pair[0])[1].run, self._home)

    def open_report(self) -> Path | None:
        """Open the page in a browser where there is one; returns where the page is."""
        if self.report is not None:
            webbrowser.open(self.report.as_uri())
        return self.report

    @cached_property
    def _summary(self) -> Summary:
        return summarize(self._comparison)

    def _dataset_rows(self, dataset: str | None) -> tuple[VariantRow, ...]:
        tables = {table.name: table.rows for table in self._summary.datasets}
        if dataset is None and len(tables) == 1:
            return next(iter(tables.values()))
        if dataset not in tables:
            what = f"There is no dataset {dataset!r}." if dataset else "There are several datasets: say which one."
            hint = did_you_mean(dataset or "", tables) or f"Datasets: {known_names(tables)}."
            raise UserError(what, hint=hint)
        return tables[dataset]

    def _metric_name(self, metric: str, rows: Sequence[VariantRow]) -> str:
        names = dict.fromkeys(name for row in rows for name in row.ranked_values())
        found = [name for name in names if metric in (name, name.rpartition(".")[2])]
        if metric in found or len(found) == 1:
            return metric if metric in found else found[0]
        if found:
            raise UserError(f"{metric!r} may be {known_names(found)}.", hint="Write the one that is meant.")
        raise UserError(
            f"There is no metric {metric!r}.", hint=did_you_mean(metric, names) or f"Metrics: {known_names(names)}."
        )

    def _is_lower_better(self, name: str) -> bool:
        known = {each.name: each for each in (self.evidence.metrics if self.evidence else ())}
        described = known.get(name) or known.get(name.rpartition(".")[2])
        return not described.higher_is_better if described else lower_is_better(name)

    def _plain_differences(self) -> Iterator[dict[str, Any]]:
        for table in self._summary.datasets:
            first, *others = table.rows
            before = first.ranked_values()
            for row in others:
                for name, value in row.ranked_values().items():
                    if name in before:
                        known = (table.name, name, row.label, first.label, value, before[name], value - before[name])
                        yield dict(zip(_DIFFERENCE, known, strict=True))

    def _title(self) -> str:
        verdict = f": {self.verdict}" if self.verdict else ""
        simulated = " (simulated model: these numbers say nothing about quality)" if self.record.simulated else ""
        return f"Experiment {self.name}{verdict}{simulated}"

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        """What is shown of it: the metrics that are numbers, and the lines that failed."""
        metrics = self._summary.ranked_metrics
        columns = ["dataset", "version", *metrics, "failed_lines", "latency_p50_ms", "cost_usd"]
        rows = [_metric_row(row) for row in self._summary.rows]
        return columns, [[row.get(column) for column in columns] for row in rows]

    def _gate_rows(self) -> list[tuple[str, str, str]]:
        return [(gate.gate, gate.verdict, gate.reason) for gate in self.gates]

    def __repr__(self) -> str:
        gates = [f"{verdict}: {gate}. {reason}" for gate, verdict, reason in self._gate_rows()]
        below = [*gates, *(f"! {each}" for each in self.warnings), f"Report: {self.report}"]
        return "\n".join([plain(self._title()), table_text(*self._table()), *map(plain, below)])

    def _repr_html_(self) -> str:
        shown = table_html(*self._table(), caption=self._title())
        if self.gates:
            shown += table_html(("gate", "verdict", "reason"), self._gate_rows())
        return shown + table_html(("warning",), [(each,) for each in self.warnings]) if self.warnings else shown


def _metric_row(row: VariantRow) -> dict[str, Any]:
    used = row.evaluated
    return {
        "dataset": row.dataset,
        "version": row.label,
        "run": row.run.name,
        "status": row.run.status,
        **row.metrics,
        "lines": row.lines.total,
        "failed_lines": row.lines.failed,
        "evaluated_lines": used.completed if used else None,
        "latency_p50_ms": row.latency.p50_ms if row.latency else None,
        "latency_p95_ms": row.latency.p95_ms if row.latency else None,
        "total_tokens": row.usage.total_tokens,
        "cost_usd": row.usage.cost_usd,
    }


def _lines_of(row: VariantRow, *, failed: bool) -> Iterator[dict[str, Any]]:
    lines = (line for line in read_lines(row.run) if line.error is not None or not failed)
    return line_rows(lines, dataset=row.dataset, version=row.label)


def _ends(interval: Interval | None) -> dict[str, Any]:
    return {name: getattr(interval, name) if interval else None for name in ("low", "high", "confidence")}


def _estimated(each: Estimate) -> dict[str, Any]:
    return {
        "dataset": each.dataset,
        "metric": each.metric.name,
        "version": each.version,
        "value": each.value,
        **_ends(each.interval),
        "lines": each.lines,
        "failed_lines": each.failed_lines,
    }


def _tested(each: Difference) -> dict[str, Any]:
    return {
        "dataset": each.dataset,
        "metric": each.metric.name,
        "version": each.version,
        "baseline": each.baseline,
        "difference": each.value,
        **_ends(each.interval),
        "p_value": each.p_value,
        "p_adjusted": each.p_adjusted,
        "winner": each.winner,
        "won": each.won,
        "lost": each.lost,
        "tied": each.tied,
        "lines": each.lines,
        "lines_needed": each.lines_needed,
        "method": each.method,
    }
