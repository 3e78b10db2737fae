"""What one call of a loaded flow came to, with prompt flow's attribute names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from flowyard.records import LineResult, NodeResult, Usage
from flowyard.runs.error_form import error_to_promptflow

__all__ = ["FlowRunInfo", "InvokeResult", "RunInfo", "Status", "answer_of"]


class Status(Enum):
    """The states of runs, lines and nodes."""

    Running = "Running"
    Preparing = "Preparing"
    Completed = "Completed"
    Failed = "Failed"
    Bypassed = "Bypassed"
    Canceled = "Canceled"
    NotStarted = "NotStarted"
    CancelRequested = "CancelRequested"

    @staticmethod
    def is_terminated(status: Status | str) -> bool:
        """Whether nothing follows that state."""
        value = status.value if isinstance(status, Status) else status
        return value in ("Completed", "Failed", "Bypassed", "Canceled")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One node of the call."""

    node: str
    status: Status
    output: Any = None
    error: dict[str, Any] | None = None
    system_metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> Any:
        return self.output


@dataclass(frozen=True, slots=True)
class FlowRunInfo:
    """The whole call."""

    status: Status
    inputs: Mapping[str, Any]
    output: Any
    error: dict[str, Any] | None = None
    index: int | None = None
    system_metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> Any:
        return self.output


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """Outputs and records of one call. Aggregation does not run, so ``aggregation_inputs`` is empty."""

    output: Any
    run_info: FlowRunInfo
    node_run_infos: Mapping[str, RunInfo]
    aggregation_inputs: Mapping[str, Any] = field(default_factory=dict)


def answer_of(line: LineResult, output: Any) -> InvokeResult:
    """The records of a completed line whose outputs, generators included, are ``output``."""
    info = FlowRunInfo(
        Status(line.status.capitalize()),
        line.inputs,
        output,
        error_to_promptflow(line.error) if line.error else None,
        system_metrics=_metrics(line.duration_s, line.usage),
    )
    return InvokeResult(output, info, {node.node: _node_info(node) for node in line.nodes})


def _node_info(node: NodeResult) -> RunInfo:
    return RunInfo(
        node.node,
        Status(node.status.capitalize()),
        node.output,
        error_to_promptflow(node.error) if node.error else None,
        _metrics(node.duration_s, node.usage),
    )


def _metrics(duration_s: float, usage: Usage) -> dict[str, Any]:
    return {
        "duration": duration_s,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
