"""One request for a line and what became of it: what metrics count and production records keep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowyard.llm.call_log import CallLog
from flowyard.records import NO_USAGE, ErrorRecord, NodeResult, Usage
from flowyard.serving.trace_context import TraceContext

__all__ = ["Exchange"]


@dataclass(slots=True)
class Exchange:
    """Filled in while the request is answered. ``outputs`` hold the whole text of what was streamed.

    ``status`` is that of the answer; 499 when the caller did not wait for it. ``calls`` are the model calls, None when
    nobody is told of them;
    ``failure`` is that of the line.
    """

    request_id: str
    trace: TraceContext
    route: str
    started: float = field(default_factory=time.perf_counter)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = NO_USAGE
    status: int = 200
    error: str | None = None
    is_stream: bool = False
    first_piece_s: float | None = None
    started_ns: int = field(default_factory=time.time_ns)
    calls: CallLog | None = None
    failure: ErrorRecord | None = None
    nodes: tuple[NodeResult, ...] = ()

    @property
    def latency_s(self) -> float:
        return time.perf_counter() - self.started
