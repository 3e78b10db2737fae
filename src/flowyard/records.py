"""The frozen values that cross layers. No behaviour beyond adding and describing themselves.

Times are UTC ISO-8601 strings, durations are seconds (``_s``), money is US dollars (``_usd``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "NO_USAGE",
    "AggregationResult",
    "Comparison",
    "ErrorRecord",
    "ExperimentRecord",
    "LineCounts",
    "LineResult",
    "LineStatus",
    "LineTask",
    "ModelReply",
    "ModelRequest",
    "NodeResult",
    "NodeStatus",
    "RunQuery",
    "RunRecord",
    "RunRole",
    "RunStatus",
    "Usage",
    "sum_usage",
]

NodeStatus = Literal["completed", "failed", "bypassed", "canceled"]
LineStatus = Literal["completed", "failed"]
RunStatus = Literal["running", "completed", "failed", "canceled"]
RunRole = Literal["run", "variant", "evaluation"]
"""Why a run was made: by hand, as a variant of an experiment, or to evaluate another run."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Model calls that were made, and what they cost.

    ``calls`` and the tokens are what a model answered and is paid for. ``unpriced_calls`` of them have no known price,
    so ``cost_usd`` is without them. ``cached_calls`` are answers that were kept from before and not paid for again,
    which spared ``saved_usd``. ``simulated_calls`` of all these answers came from a simulated model. ``refused_calls``
    counts the attempts that an endpoint turned down for their rate or because it was overloaded.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    simulated_calls: int = 0
    unpriced_calls: int = 0
    cached_calls: int = 0
    refused_calls: int = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def kept_text(self) -> str:
        """How many answers were kept from before; empty when there were none."""
        if not self.cached_calls:
            return ""
        return "1 kept answer" if self.cached_calls == 1 else f"{self.cached_calls:,} kept answers"

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.simulated_calls + other.simulated_calls,
            self.unpriced_calls + other.unpriced_calls,
            self.cached_calls + other.cached_calls,
            self.refused_calls + other.refused_calls,
            self.cost_usd + other.cost_usd,
            self.saved_usd + other.saved_usd,
        )

    def since(self, before: Usage) -> Usage:
        """What came on top of what was counted before."""
        return Usage(*(getattr(self, name) - getattr(before, name) for name in Usage.__dataclass_fields__))


NO_USAGE = Usage()
"""No model calls."""


def sum_usage(usages: Iterable[Usage]) -> Usage:
    """All of it together; quick when nothing was used, which is the same object each time."""
    total = NO_USAGE
    for usage in usages:
        if usage is not NO_USAGE:
            total = usage if total is NO_USAGE else total + usage
    return total


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """A failure as it is stored: exception class name, message, node and place in the user's code (``file:line``)."""

    type: str
    message: str
    node: str | None = None
    where: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What one node did for one line (``output`` is the Python object; it is None unless completed).

    ``prompts`` are what it asked models, rendered, as a person reads them: the first few of them. ``clock_s`` is
    ``time.perf_counter`` when it began, 0 if that is not known; it says something in this process only and is not kept.
    """

    node: str
    status: NodeStatus
    output: Any = None
    error: ErrorRecord | None = None
    duration_s: float = 0.0
    usage: Usage = NO_USAGE
    prompts: tuple[str, ...] = ()
    clock_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AggregationResult:
    """What aggregation gave: metrics logged (also before a failure), node results, errors and the model calls made.

    ``warnings`` are for a person to read once.
    """

    metrics: Mapping[str, Any]
    nodes: tuple[NodeResult, ...] = ()
    errors: tuple[ErrorRecord, ...] = ()
    usage: Usage = NO_USAGE
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineTask:
    """One line to run: its number in the data (from 0), its mapped inputs and, if it could not be read, why.

    ``folder`` is what the paths of its pictures are relative to: the data's folder, or None for the flow's. Values that
    came ``from_network`` may not name files at all.
    """

    line_number: int
    inputs: Mapping[str, Any]
    error: ErrorRecord | None = None
    folder: Path | None = None
    from_network: bool = False


@dataclass(frozen=True, slots=True)
class LineResult:
    """One finished line. ``outputs`` is empty unless completed; ``nodes`` is in the order of the flow.

    ``is_bare`` says that the flow returned one value without a name, which is then the output called ``output``.
    """

    line_number: int
    status: LineStatus
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    error: ErrorRecord | None = None
    nodes: tuple[NodeResult, ...] = ()
    duration_s: float = 0.0
    usage: Usage = NO_USAGE
    started_at: str = ""
    is_bare: bool = False

    @property
    def returned(self) -> Any:
        """What a caller of the flow gets: its outputs by name, or its one value."""
        return self.outputs.get("output") if self.is_bare else self.outputs


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines a run has, and how they ended. ``total`` counts every line that was to be run."""

    total: int = 0
    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run of a flow over lines, as it is stored in ``run.json``.

    ``metrics`` comes from ``log_metric``; ``errors`` are failures outside lines (an aggregation node, for one).
    ``base_run`` is the run that this one evaluates or reads. ``path`` is the run's folder. ``assignment`` is
    ``{node: variant}``, defaults included, and ``parameters`` what was changed in the flow besides, by the names that
    ``flows/parameters.py`` explains. Of environment variables and init values only the names are kept, because
    the values may be secret. ``resumed_from`` is the run whose completed lines were taken over, ``source`` the folder
    that a registered run came from. ``flow_digest`` and ``data_digest`` say which version of either it ran.
    """

    name: str
    status: RunStatus
    flow: str
    path: Path
    role: RunRole = "run"
    display_name: str | None = None
    data: str | None = None
    dataset: str | None = None
    variant: str | None = None
    base_run: str | None = None
    column_mapping: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""
    ended_at: str | None = None
    duration_s: float = 0.0
    lines: LineCounts = LineCounts()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = NO_USAGE
    errors: tuple[ErrorRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    archived: bool = False
    assignment: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment_names: tuple[str, ...] = ()
    init_names: tuple[str, ...] = ()
    resumed_from: str | None = None
    source: str | None = None
    flow_digest: str | None = None
    data_digest: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether any model call of this run was answered by a simulated model."""
        return self.usage.simulated_calls > 0

    @property
    def lines_path(self) -> Path:
        """Every finished line with inputs, outputs, error and nodes, in the order they finished."""
        return self.path / "lines.jsonl"

    @property
    def outputs_path(self) -> Path:
        """Completed lines only, ``{"line_number": n, **outputs}``, ascending; written when the run ends."""
        return self.path / "outputs.jsonl"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs a list has; every field that is set has to fit.

    ``flow`` is a flow's file, its folder, or the name of either without its ending; ``tags`` are those that a run must
    have, with these values. In ``name``, ``*`` stands for any text and ``?`` for one character. ``since`` is the UTC
    time (ISO-8601) at or after which a run was made. ``archived`` is None for both kinds. Of the runs that fit, newest
    first, ``offset`` are left out and then ``limit`` are given; None is all of them.
    """

    status: RunStatus | None = None
    flow: str | None = None
    role: RunRole | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    base_run: str | None = None
    name: str | None = None
    archived: bool | None = None
    since: str | None = None
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs to be shown side by side, whether an experiment made them or a person chose them.

    ``noun`` is what one column is called, ``variant`` or ``run``. ``labels`` and ``datasets`` name a run and what it
    ran over; a run that is not in them is named by its assignment and its data. ``variants`` and ``evaluations`` are
    as in ExperimentRecord. ``tables`` says whether ``details.csv`` and ``metrics.csv`` are beside the page.
    ``defaults`` is the label of the flow as its files have it, which is what would ship; ``dropped`` are
    ``(dataset, label)`` that a race took out of the running.
    """

    title: str
    noun: str
    runs: tuple[RunRecord, ...]
    created_at: str
    variants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    evaluations: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    env: str | None = None
    duration_s: float | None = None
    tables: bool = False
    defaults: str | None = None
    dropped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """One execution of an experiment: its runs and where its results are.

    ``variants`` maps a run's name to the assignment ``{node: variant}`` that it ran with, defaults included, and
    ``evaluations`` maps an evaluation run's name to ``(evaluator name, evaluated run's name)``. ``labels`` maps a run's
    name to what people call it, ``defaults`` is the label of the flow as its files have it. ``verdict`` is None without
    ``gates``; these and ``races`` are what ``decisions/`` found, as JSON has it, and ``policy`` the blocks it followed.
    It ``is_finished`` when nothing that was planned is left to run; ``request`` is what was asked for and the versions
    of what it reads, so that the rest can be run.
    """

    name: str
    key: str
    path: Path
    created_at: str
    env: str | None
    runs: tuple[RunRecord, ...]
    variants: Mapping[str, Mapping[str, str]]
    evaluations: Mapping[str, tuple[str, str]]
    duration_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    defaults: str | None = None
    verdict: str | None = None
    gates: tuple[Mapping[str, Any], ...] = ()
    races: tuple[Mapping[str, Any], ...] = ()
    policy: Mapping[str, Any] = field(default_factory=dict)
    is_finished: bool = True
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        return any(run.simulated for run in self.runs)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a language model in the OpenAI wire format.

    ``body`` is the JSON body without ``model`` and ``stream``; names that we do not know are passed through.
    ``headers`` are sent besides those that the connection needs.
    """

    operation: Literal["chat", "completion", "embedding"]
    model: str
    body: Mapping[str, Any]
    timeout_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """The endpoint's JSON answer, in the OpenAI wire format, with its token usage.

    An answer that was kept from before costs nothing now; its ``kept_usage`` says what it had used when it was made.
    """

    body: Mapping[str, Any]
    usage: Usage
    attempts: int = 1
    kept_usage: Usage | None = None
