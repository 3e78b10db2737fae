"""``Run``: a run that is asked for, or that was made, with prompt flow's attribute names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from flowyard.client.translate import speaking_promptflow
from flowyard.records import RunRecord
from flowyard.runs.run_file import read_run_file

__all__ = ["Run", "load_run", "name_of"]


class Run:
    """One run. Before it is made it holds what was asked for, and its status is ``NotStarted``.

    ``status`` is then ``Running``, ``Completed``, ``Failed`` or ``Canceled``; a completed run may have failed lines.
    """

    def __init__(
        self,
        flow: Any = None,
        name: str | None = None,
        data: str | PathLike[str] | None = None,
        variant: str | None = None,
        run: Run | str | None = None,
        column_mapping: Mapping[str, Any] | None = None,
        display_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        environment_variables: Mapping[str, Any] | str | None = None,
        connections: Mapping[str, Mapping[str, str]] | None = None,
        properties: Mapping[str, Any] | None = None,
        source: str | PathLike[str] | None = None,
        init: Mapping[str, Any] | None = None,
        **_ignored: Any,
    ) -> None:
        self.flow = flow
        self.name = name
        self.data = data
        self.variant = variant
        self.run = run
        self.column_mapping = column_mapping
        self.display_name = display_name
        self.description = description
        self.tags = dict(tags) if tags else None
        self.environment_variables = environment_variables
        self.connections = connections
        self.properties = dict(properties or {})
        self.source = source
        self.init = init
        self.status = "NotStarted"
        self.created_on: datetime | None = None
        self.start_time: datetime | None = None
        self.end_time: datetime | None = None
        self.resume_from: str | None = None
        self._record: RunRecord | None = None

    @classmethod
    def _from_record(cls, record: RunRecord) -> Run:
        run = cls(
            flow=_flow_place(record),
            name=record.name,
            data=record.data,
            variant=record.variant,
            run=record.base_run,
            column_mapping=dict(record.column_mapping) or None,
            display_name=record.display_name or record.name,
            description=record.description,
            tags=record.tags,
            connections=record.connections or None,
            properties=_properties(record),
        )
        run.status = record.status.capitalize()
        run.created_on = run.start_time = _time(record.created_at)
        run.end_time = _time(record.ended_at)
        run.resume_from = record.resumed_from
        run._record = record
        return run

    @property
    def _output_path(self) -> Path | None:
        """The run's folder, which holds ``lines.jsonl`` and ``outputs.jsonl``."""
        return self._record.path if self._record else None

    def _to_dict(self) -> dict[str, Any]:
        """What may be printed of the run; values are texts, numbers and mappings."""
        record = self._record
        failed = (
            f"{record.lines.failed} of {record.lines.total} lines failed." if record and record.lines.failed else ""
        )
        shown = {
            "name": self.name,
            "created_on": self.created_on.isoformat() if self.created_on else None,
            "status": self.status,
            "display_name": self.display_name,
            "description": self.description,
            "tags": self.tags,
            "properties": self.properties,
            "flow_name": Path(str(self.flow)).stem if self.flow else None,
            "data": str(self.data) if self.data else None,
            "output": str(record.outputs_path) if record else None,
            "error": {"message": failed} if failed else None,
        }
        always = ("name", "created_on", "status", "display_name", "description", "tags", "properties")
        return {key: value for key, value in shown.items() if value is not None or key in always}

    def __repr__(self) -> str:
        return f"Run(name={self.name!r}, status={self.status!r})"


def load_run(source: str | PathLike[str], params_override: list[Mapping[str, Any]] | None = None, **_: Any) -> Run:
    """The run that a ``run.yaml`` describes, for ``runs.create_or_update``. Raises UserErrorException."""
    with speaking_promptflow():
        described = read_run_file(Path(source).expanduser().absolute())
        for override in params_override or ():
            described = described.over(override)
        described.require_kinds()
        values = described.values
        return Run(
            flow=described.path("flow") if "flow" in values else None,
            data=described.data(),
            variant=values.get("variant"),
            run=values.get("run"),
            column_mapping=values.get("column_mapping"),
            environment_variables=described.environment_variables() or None,
            connections=values.get("connections"),
            properties=values.get("properties"),
            init=described.init() or None,
            **described.labels(),
        )


def name_of(run: Run | str) -> str:
    """A run's name, from the run or the name itself."""
    return str(run.name) if isinstance(run, Run) else str(run)


def _flow_place(record: RunRecord) -> Path:
    """The flow's folder where the file has its usual name, else the file."""
    file = Path(record.flow)
    return file.parent if file.stem in ("flow.dag", "flow.flex") else file


def _properties(record: RunRecord) -> dict[str, Any]:
    lines, usage = record.lines, record.usage
    found: dict[str, Any] = {
        **record.properties,
        "flow_path": str(_flow_place(record)),
        "output_path": str(record.path),
        "column_mapping": dict(record.column_mapping),
        "system_metrics": {
            "total_tokens": usage.total_tokens,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "duration": record.duration_s,
            "__pf__.lines.completed": lines.completed,
            "__pf__.lines.failed": lines.failed,
        },
    }
    for key, value in (
        ("run", record.base_run),
        ("node_variant", record.variant),
        ("resume_from", record.resumed_from),
    ):
        if value:
            found[key] = value
    return found


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
