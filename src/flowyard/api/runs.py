"""Runs: ``flowyard.run`` makes one, ``flowyard.load_run`` finds one that was made."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

from flowyard._util.aio import run_blocking
from flowyard.api.flow import Flow
from flowyard.api.frames import Frame, frame_of
from flowyard.api.given_data import GivenData, source_of
from flowyard.api.line_rows import line_columns, line_rows
from flowyard.api.running import Place, Running, RunningOptions, open_place
from flowyard.api.selection import Variant, selected_flow
from flowyard.api.text import facts_html, facts_text
from flowyard.client.subject import Subject
from flowyard.flows import model
from flowyard.records import LineCounts, LineResult, RunRecord, Usage
from flowyard.reports import compare_runs, comparison_page, write_page
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.results import read_lines

__all__ = ["Run", "load_run", "name_of", "run"]


class Run:
    """A run that was made, with its results. ``record`` has everything that is stored of it."""

    def __init__(self, record: RunRecord, home: Path) -> None:
        self.record = record
        self._home = home

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def status(self) -> str:
        """``completed``, ``failed``, ``canceled`` or ``running``; a completed run may have failed lines."""
        return self.record.status

    @property
    def metrics(self) -> dict[str, Any]:
        """What aggregation logged, by name."""
        return dict(self.record.metrics)

    @property
    def variant(self) -> dict[str, str]:
        """Which variant each node with variants had, ``{node: variant}``, defaults included."""
        return dict(self.record.assignment)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values that it was run with in place of those of the flow's files."""
        return dict(self.record.parameters)

    @property
    def counts(self) -> LineCounts:
        """How many lines there are, and how they ended."""
        return self.record.lines

    @property
    def usage(self) -> Usage:
        """The model calls with their tokens and cost."""
        return self.record.usage

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.record.path

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.record.warnings

    @cached_property
    def lines(self) -> tuple[LineResult, ...]:
        """Every finished line with inputs, outputs, error and nodes, ascending; read once and kept in memory."""
        return tuple(read_lines(self.record))

    @property
    def failed(self) -> tuple[LineResult, ...]:
        """The lines that failed; each says why in ``error``."""
        return tuple(line for line in self.lines if line.error is not None)

    def details(self, frame: Frame | None = None, *, most: int | None = None) -> Any:
        """One row a line, or the first ``most``, as a ``DataFrame`` of pandas or polars.

        The columns are ``line_number``, ``status``, ``inputs.x``, ``outputs.y``, ``error``, ``duration_ms``,
        ``total_tokens`` and ``cost_usd``. Raises ExtraMissing when the library is not installed.
        """
        rows = list(line_rows(islice(read_lines(self.record), most)))
        return frame_of(rows, line_columns(rows), frame)

    def report(self, path: Place | None = None) -> Path:
        """Write the page that shows the run line by line; returns where it is, by default in the project's home."""
        page = Path(path).expanduser().absolute() if path else comparison_page(self._home, [self.name])
        return write_page(compare_runs([self.record]), None, page)

    def open_report(self) -> Path:
        """The same, opened in a browser where there is one."""
        page = self.report()
        webbrowser.open(page.as_uri())
        return page

    def _facts(self) -> dict[str, Any]:
        counts, usage = self.counts, self.usage
        return {
            "lines": f"{counts.completed:,} of {counts.total:,} completed, {counts.failed:,} failed",
            "version": self.record.variant,
            **self.metrics,
            "tokens": f"{usage.total_tokens:,}" if usage.total_tokens else None,
            "cost": f"{usage.cost_usd:.4f} US dollars" if usage.cost_usd else None,
            "model": "simulated: these numbers say nothing about quality" if self.record.simulated else None,
            "folder": self.path,
        }

    def __repr__(self) -> str:
        return facts_text(f"Run {self.name}: {self.status}", self._facts())

    def _repr_html_(self) -> str:
        return facts_html(f"Run {self.name}: {self.status}", self._facts())


def run(
    flow: Subject,
    data: GivenData | None = None,
    *,
    column_mapping: Mapping[str, Any] | None = None,
    base_run: Run | str | None = None,
    variant: Variant | None = None,
    parameters: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | None = None,
    connections: Mapping[str, Mapping[str, str]] | None = None,
    environment_variables: Mapping[str, Any] | None = None,
    name: str | None = None,
    display_name: str | None = None,
    tags: Mapping[str, str] | None = None,
    **running: Unpack[RunningOptions],
) -> Run:
    """Run a flow over every row of the data, over another run's outputs, or both; returns when it ended.

    ``flow`` is what ``load_flow`` takes or gives, ``data`` a path, a URL, rows or a data frame, and ``column_mapping``
    says which column feeds which input (``${data.x}``, ``${run.outputs.y}``). Failed lines do not raise: they are in
    ``failed``. Raises UserError when the run cannot be made; then nothing was written.
    """
    how = Running(**running)
    own = flow if isinstance(flow, Flow) else None
    loaded = own.source if own and not variant else selected_flow(flow, variant)
    app = how.open(loaded.folder)
    request = RunRequest(
        flow=loaded,
        data=None if data is None else source_of(data, app.settings.home),
        column_mapping=dict(column_mapping or {}),
        variant=_differing(loaded),
        parameters={**(own.parameters if own else {}), **(parameters or {})},
        init=dict(init if init is not None else own.init if own else {}),
        base_run=None if base_run is None else name_of(base_run),
        role="run" if base_run is None else "evaluation",
        connections=connections or {},
        environment_variables=environment_variables or {},
        name=name,
        display_name=display_name,
        tags=tags or {},
        options=how.options,
    )
    return Run(run_blocking(execute_run(request, how.parts(app))), app.settings.home)


def _differing(flow: model.Flow) -> dict[str, str]:
    """The variants in use that are not the defaults."""
    return {node: variant for node, variant in flow.chosen.items() if flow.variants[node][0] != variant}


def load_run(name: str, *, home: Place | None = None) -> Run:
    """The run of that name, whoever made it. Raises NotFound, naming near matches."""
    app = open_place(Path(), home=home)
    return Run(app.store.get_run(name), app.settings.home)


def name_of(run: Run | str) -> str:
    """A run's name, from the run or the name itself."""
    return run.name if isinstance(run, Run) else str(run)
