"""``PFClient().runs``: making, finding and reading runs."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard._util.aio import run_blocking
from flowyard.client.ambient import app
from flowyard.client.exceptions import DataNotFoundError, InvalidFlowError, InvalidRunStatusError, RunArgumentError
from flowyard.client.run_entity import Run, name_of
from flowyard.client.subject import flow_of
from flowyard.client.translate import speaking_promptflow
from flowyard.errors import ExtraMissing
from flowyard.flows import Flow
from flowyard.flows.variants import parse_selection
from flowyard.llm.envfile import read_env
from flowyard.records import RunQuery, RunRecord
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.change import change_run
from flowyard.runs.dataset import absolute_source, data_exists
from flowyard.runs.details import details_rows
from flowyard.runs.follow import follow_lines
from flowyard.runs.register import register_run
from flowyard.runs.repeat import resume_request
from flowyard.sessions.session import FinishedLine
from flowyard.store import SqlStore

if TYPE_CHECKING:
    import pandas as pd

from flowyard.records import LineResult
from flowyard.sessions.encoding import read_line

__all__ = ["ListViewType", "RunOperations"]

Runs = list[Run]

_log = logging.getLogger("flowyard")


class ListViewType:
    """Which runs ``list`` gives."""

    ACTIVE_ONLY = "ActiveOnly"
    ARCHIVED_ONLY = "ArchivedOnly"
    ALL = "All"


class RunOperations:
    """Runs of this project. A name that no run has raises RunNotFoundError."""

    def list(self, max_results: int | None = 50, *, list_view_type: str = ListViewType.ACTIVE_ONLY) -> Runs:
        """Runs, newest first; archived ones only when ``list_view_type`` says so."""
        archived = {ListViewType.ACTIVE_ONLY: False, ListViewType.ARCHIVED_ONLY: True}.get(list_view_type)
        with speaking_promptflow():
            records = _store().list_runs(RunQuery(archived=archived, limit=max_results))
        return [Run._from_record(record) for record in records]

    def get(self, name: Run | str) -> Run:
        """The run of that name."""
        with speaking_promptflow():
            return Run._from_record(_store().get_run(name_of(name)))

    def create_or_update(self, run: Run, *, stream: bool = False, code: Any = None, **_ignored: Any) -> Run:
        """Make the run that is described, over all its lines; returns it when it ended.

        Failed lines do not raise: they are in ``get_details``. With ``stream`` each line is printed as it ends.
        """
        if run._record is not None:
            return self.update(run, run.display_name, run.description, run.tags)
        with speaking_promptflow():
            if run.source:
                labels: dict[str, Any] = {
                    "name": run.name,
                    "display_name": run.display_name,
                    "description": run.description,
                }
                return Run._from_record(register_run(Path(run.source), _store(), **labels, tags=run.tags or {}))
            request, flow = _request(run, code)
            parts = app(flow.folder).parts(_Watch(printing=stream))
            return Run._from_record(run_blocking(execute_run(request, parts)))

    def stream(self, name: Run | str, raise_on_error: bool = True) -> Run:
        """Wait for a run that another process makes, print what came out, and return the run.

        Raises InvalidRunStatusError when it failed or was canceled, unless ``raise_on_error`` is off.
        """
        with speaking_promptflow():
            store = _store()
            record = store.get_run(name_of(name))
            if record.status == "running":
                for line in follow_lines(store, record):
                    _print_line(line)
                record = store.get_run(record.name)
        _print_summary(record)
        if record.status != "completed" and raise_on_error:
            raise InvalidRunStatusError(f"Run {record.name!r} is {record.status}.")
        return Run._from_record(record)

    def archive(self, name: Run | str) -> Run:
        """Leave a run out of lists; nothing is deleted."""
        return self._change(name, archived=True)

    def restore(self, name: Run | str) -> Run:
        """Show an archived run in lists again."""
        return self._change(name, archived=False)

    def update(
        self,
        name: Run | str,
        display_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        **_ignored: Any,
    ) -> Run:
        """Change a run's labels; what is not given stays. ``tags`` replaces all tags."""
        given = {"display_name": display_name, "description": description, "tags": dict(tags) if tags else None}
        return self._change(name, **{key: value for key, value in given.items() if value is not None})

    def delete(self, name: Run | str) -> None:
        """Delete a run with everything in its folder."""
        with speaking_promptflow():
            _store().delete_run(name_of(name))

    def get_details(self, name: Run | str, max_results: int = 100, all_results: bool = False) -> pd.DataFrame:
        """One row a line: ``inputs.<name>``, ``inputs.line_number`` and ``outputs.<name>``.

        Failed lines have ``(Failed)`` in the outputs. Raises MissingRequiredPackage without pandas.
        """
        with speaking_promptflow():
            rows = details_rows(_store().get_run(name_of(name)), most=None if all_results else max_results)
            return _pandas().DataFrame(rows)

    def get_metrics(self, name: Run | str) -> dict[str, Any]:
        """What aggregation logged with ``log_metric``."""
        with speaking_promptflow():
            return dict(_store().get_run(name_of(name)).metrics)

    def visualize(
        self, runs: Run | str | Iterable[Run | str], html_path: str | PathLike[str] | None = None, **_ignored: Any
    ) -> None:
        """Write a page that shows runs side by side and print its path; on a terminal, open it."""
        from flowyard import reports  # noqa: PLC0415 - every flow's code imports this module, and none a report

        named = [runs] if isinstance(runs, (Run, str)) else [*runs]
        names = [part.strip() for run in named for part in name_of(run).split(",")]
        with speaking_promptflow():
            store = _store()
            comparison = reports.compare_runs([store.get_run(name) for name in names])
            path = Path(html_path) if html_path else reports.comparison_page(store.home, names)
            page = reports.write_page(comparison, reports.evidence_of_runs(comparison), path).resolve()
        print(page)  # noqa: T201 - the answer of this call
        if sys.stdout.isatty():
            webbrowser.open(page.as_uri())

    def _change(self, name: Run | str, **changes: Any) -> Run:
        with speaking_promptflow():
            return Run._from_record(change_run(_store(), name_of(name), **changes))


class _Watch:
    """Logs a run's warnings; prints its lines when asked to."""

    def __init__(self, *, printing: bool) -> None:
        self._printing = printing

    def start(self, run: RunRecord, total: int) -> None:  # noqa: ARG002
        for warning in run.warnings:
            _log.warning("%s: %s", run.name, warning)

    def line(self, line: FinishedLine) -> None:
        if self._printing:
            _print_line(read_line(line.text, f"line {line.line_number}"))

    def end(self, run: RunRecord) -> None:
        if self._printing:
            _print_summary(run)


def _store() -> SqlStore:
    return app().store


def _request(run: Run, code: Any) -> tuple[RunRequest, Flow]:
    """The checked request, with its flow loaded. Raises RunArgumentError, DataNotFoundError, UserError."""
    labels: dict[str, Any] = {"name": run.name, "display_name": run.display_name, "description": run.description}
    tags = {key: str(value) for key, value in (run.tags or {}).items()}
    if run.resume_from:
        return _resumed(run, tags=tags, **labels)
    if run.flow is None:
        raise RunArgumentError("A run needs a flow.")
    if run.data is None and run.run is None:
        raise RunArgumentError("A run needs data, or another run to read: at least one of data and run.")
    data = absolute_source(os.fspath(run.data)) if run.data is not None else None
    if data is not None and not data_exists(data):
        raise DataNotFoundError(f"There is no data at {data}.")
    with speaking_promptflow(UserError=InvalidFlowError):
        selected = dict([parse_selection(run.variant)]) if run.variant else {}
        flow = flow_of(run.flow, selected, code)
    request = RunRequest(
        flow=flow,
        data=data,
        column_mapping=dict(run.column_mapping or {}),
        variant=selected,
        init=dict(run.init or {}),
        base_run=name_of(run.run) if run.run is not None else None,
        role="evaluation" if run.run is not None else "run",
        environment_variables=_variables(run.environment_variables),
        connections=run.connections or {},
        properties=run.properties,
        tags=tags,
        **labels,
    )
    return request, flow


def _resumed(run: Run, **labels: Any) -> tuple[RunRequest, Flow]:
    others = {"flow": run.flow, "data": run.data, "run": run.run, "column_mapping": run.column_mapping}
    others |= {"variant": run.variant, "connections": run.connections}
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise RunArgumentError(f"A run that is resumed has all of the earlier one's: leave out {', '.join(given)}.")
    request = resume_request(
        _store().get_run(name_of(run.resume_from or "")),
        environment_variables=_variables(run.environment_variables),
        init=dict(run.init or {}),
        **labels,
    )
    flow = flow_of(request.flow, request.variant)
    return replace(request, flow=flow), flow


def _variables(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    return dict(read_env(Path(given))) if isinstance(given, str) else dict(given or {})


def _print_line(line: LineResult) -> None:
    outcome = line.error.message if line.error else ", ".join(f"{key}={value}" for key, value in line.outputs.items())
    print(f"line {line.line_number}: {line.status}  {outcome}"[:500])  # noqa: T201 - what streaming is


def _print_summary(run: RunRecord) -> None:
    lines = run.lines
    failed = f", {lines.failed} failed" if lines.failed else ""
    print(f"Run {run.name}: {run.status}, {lines.completed} of {lines.total} lines completed{failed}. {run.path}")  # noqa: T201


def _pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415 - heavy, and only tables need it
    except ImportError:
        raise ExtraMissing("The details of a run are a pandas DataFrame.", hint="pip install pandas") from None
    return pd
