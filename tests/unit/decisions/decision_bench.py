"""Experiments made by hand: runs with lines on disk, without running a flow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import parse_yaml
from flowyard.decisions.evidence import gather_evidence
from flowyard.decisions.gate_blocks import parse_gate_text, parse_gates_block
from flowyard.decisions.model import Difference, Estimate, Evidence, GateResult
from flowyard.decisions.policy import DecisionPolicy, Gate
from flowyard.experiments.comparison import compare_variants
from flowyard.records import ErrorRecord, ExperimentRecord, LineCounts, LineResult, RunRecord, Usage
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder

FAILED = object()
"""In place of a line's outputs: the line failed."""


@dataclass
class Bench:
    """Collects versions with their lines; the first one is the flow's defaults."""

    path: Path
    runs: list[RunRecord] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    evaluations: dict[str, tuple[str, str]] = field(default_factory=dict)
    races: tuple[Mapping[str, Any], ...] = ()

    def version(
        self,
        label: str,
        outputs: Sequence[Any],
        *,
        dataset: str = "tickets",
        evaluator: str = "judge",
        seconds: Sequence[float] = (),
        usage: Usage = Usage(),  # noqa: B008 - frozen
        rows: Sequence[Mapping[str, Any]] = (),
        **metrics: Any,
    ) -> None:
        """A version whose lines were evaluated to these outputs; FAILED is a line that failed in its own run."""
        times = seconds or [0.1] * len(outputs)
        base = [
            _line(number, FAILED if each is FAILED else {"answer": "x"}, times[number], usage)
            for number, each in enumerate(outputs)
        ]
        name = f"{dataset}-{label}-{len(self.runs)}"
        data = str(self._data(dataset, rows)) if rows else None
        run = self._run(name, base, dataset=dataset, data=data, role="variant")
        self.labels[run.name] = label
        scored = [_line(number, each, 0.01, Usage()) for number, each in enumerate(outputs) if each is not FAILED]
        if scored:
            evaluation = self._run(f"{name}-{evaluator}", scored, role="evaluation", base_run=name, metrics=metrics)
            self.evaluations[evaluation.name] = (evaluator, name)

    def evaluation(self, evaluator: str, of: str, outputs: Mapping[int, Any], **metrics: Any) -> None:
        """One more evaluator of the version with that label."""
        base = next(name for name, label in self.labels.items() if label == of)
        lines = [_line(number, each, 0.01, Usage()) for number, each in outputs.items()]
        run = self._run(f"{base}-{evaluator}", lines, role="evaluation", base_run=base, metrics=metrics)
        self.evaluations[run.name] = (evaluator, base)

    def _data(self, dataset: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / f"{dataset}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return file

    def _run(self, name: str, lines: Sequence[LineResult], **more: Any) -> RunRecord:
        folder = self.path / f"run-{len(self.runs)}"
        folder.mkdir(parents=True)
        with ResultWriter(folder / "lines.jsonl") as writer:
            for line in lines:
                writer.append(LineEncoder(folder / "media").finished(line))
        good = sum(line.status == "completed" for line in lines)
        usage = sum((line.usage for line in lines), Usage())
        counts = LineCounts(len(lines), good, len(lines) - good)
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
            env=None,
            runs=tuple(self.runs),
            variants={name: {} for name in self.labels},
            evaluations=self.evaluations,
            labels=self.labels,
            defaults=next(iter(self.labels.values()), None),
            races=self.races,
        )

    def evidence(self, *gates: str | Mapping[str, Any], **policy: Any) -> Evidence:
        """What these versions show, judged by gates in their short form or as mappings."""
        parsed = tuple(map(_gate, gates))
        return gather_evidence(compare_variants(self.experiment), DecisionPolicy(gates=parsed, **policy))


def _gate(gate: str | Mapping[str, Any]) -> Gate:
    if isinstance(gate, str):
        return parse_gate_text(gate)
    return parse_gates_block([gate], parse_yaml("", Path("experiment.yaml")), "gates")[0]


def _line(number: int, outputs: Any, seconds: float, usage: Usage) -> LineResult:
    if outputs is FAILED:
        error = ErrorRecord("ValueError", "It does not work.")
        return LineResult(number, "failed", {"x": number}, {}, error, duration_s=seconds, usage=usage)
    return LineResult(number, "completed", {"x": number}, outputs, duration_s=seconds, usage=usage)


def grades(text: str) -> list[Any]:
    """``+-F``: right, wrong, failed."""
    made = {"+": {"grade": "Correct"}, "-": {"grade": "Incorrect"}, "F": FAILED}
    return [made[letter] for letter in text]


def estimate_of(evidence: Evidence, metric: str, version: str, dataset: str = "tickets") -> Estimate:
    return next(
        each
        for each in evidence.estimates
        if (each.metric.name, each.version, each.dataset) == (metric, version, dataset)
    )


def difference_of(evidence: Evidence, metric: str, version: str) -> Difference:
    return next(each for each in evidence.differences if (each.metric.name, each.version) == (metric, version))


def only_gate(evidence: Evidence) -> GateResult:
    (gate,) = evidence.gates
    return gate
