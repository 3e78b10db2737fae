"""Experiments made by hand: runs with lines on disk, without running a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flowyard.records import Comparison, ExperimentRecord, LineCounts, LineResult, RunRecord, Usage
from flowyard.reports import compare_variants
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder


@dataclass
class Lab:
    """Collects runs; ``experiment`` is the record of what was added so far."""

    path: Path
    runs: list[RunRecord] = field(default_factory=list)
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    evaluations: dict[str, tuple[str, str]] = field(default_factory=dict)

    def variant(self, name: str, lines: Sequence[LineResult], *, dataset: str = "tickets", **more: Any) -> str:
        run = self._run(name, lines, role="variant", dataset=dataset, **more)
        self.variants[run.name] = {"classify": name.split("-", maxsplit=1)[0]}
        return run.name

    def evaluation(self, evaluator: str, of: str, lines: Sequence[LineResult], **metrics: Any) -> None:
        run = self._run(f"{of}-{evaluator}", lines, role="evaluation", base_run=of, metrics=metrics)
        self.evaluations[run.name] = (evaluator, of)

    def _run(self, name: str, lines: Sequence[LineResult], **more: Any) -> RunRecord:
        folder = self.path / f"run-{len(self.runs)}"
        folder.mkdir(parents=True)
        with ResultWriter(folder / "lines.jsonl") as writer:
            for line in lines:
                writer.append(LineEncoder(folder / "media").finished(line))
        good = sum(line.status == "completed" for line in lines)
        counts = LineCounts(len(lines), good, len(lines) - good)
        usage = sum((line.usage for line in lines), Usage())
        run = RunRecord(name, "completed", "flow", folder, **{"lines": counts, "usage": usage, **more})
        self.runs.append(run)
        return run

    @property
    def experiment(self) -> ExperimentRecord:
        return ExperimentRecord(
            name="triage",
            key="triage-1",
            path=self.path,
            created_at="2025-03-01T10:20:30+00:00",
            env="dev",
            runs=tuple(self.runs),
            variants=self.variants,
            evaluations=self.evaluations,
            duration_s=12.5,
        )

    @property
    def comparison(self) -> Comparison:
        return compare_variants(self.experiment)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "runs")
