"""A run as the folder that prompt flow would have left, for scripts that read such folders.

    flow_outputs/output.jsonl   flow_artifacts/000000003_000000003.jsonl   node_artifacts/NODE/000000003.jsonl
    inputs.jsonl  outputs.jsonl  metrics.json  error.json  logs.txt  meta.json  run_metadata.json

Inputs of nodes and outputs of aggregation nodes are not stored here, so these fields are null.
"""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import Conflict, StoreError, UserError
from flowyard.records import ErrorRecord, LineResult, NodeResult, RunRecord
from flowyard.runs.error_form import error_to_promptflow, run_error_to_promptflow
from flowyard.runs.results import read_lines

__all__ = ["export_run"]


def export_run(run: RunRecord, folder: Path) -> Path:
    """Write the run into ``folder``, which must not exist or be empty, and return it.

    The folder appears whole or not at all. Raises Conflict, UserError while the run is running, StoreError.
    """
    if run.status == "running":
        raise UserError(f"Run {run.name!r} is running.", hint=f"Wait for it: flowyard run stream -n {run.name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already and not an empty folder.", hint="Give another -o FOLDER.")
    part = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    try:
        part.mkdir(parents=True)
        _write(run, part)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise StoreError(f"Cannot write {folder}: {error.strerror}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write(run: RunRecord, folder: Path) -> None:
    for name in ("flow_outputs", "flow_artifacts", "node_artifacts"):
        (folder / name).mkdir()
    failures = _write_lines(run, folder)
    for error in run.errors:
        _write_aggregation_failure(run, error, folder)
    _write_json(folder / "metrics.json", dict(run.metrics))
    _write_json(folder / "meta.json", {"batch_size": 1})
    _write_json(folder / "run_metadata.json", _metadata(run))
    (folder / "logs.txt").write_text(_log(run, failures), encoding="utf-8")
    if failures or run.errors:
        whole = run_error_to_promptflow(failures, run.errors, failed=len(failures), total=run.lines.total)
        _write_json(folder / "error.json", whole)


def _write_lines(run: RunRecord, folder: Path) -> list[tuple[int, ErrorRecord]]:
    """Write what every line has; returns the failures."""
    failures = []
    with ExitStack() as files:
        inputs, outputs, flow_outputs = (
            files.enter_context((folder / name).open("w", encoding="utf-8", newline="\n"))
            for name in ("inputs.jsonl", "outputs.jsonl", "flow_outputs/output.jsonl")
        )
        for line in read_lines(run):
            number = {"line_number": line.line_number}
            inputs.write(dump_json({**line.inputs, **number}) + "\n")
            if line.status == "completed":
                outputs.write(dump_json({**line.outputs, **number}) + "\n")
                flow_outputs.write(dump_json({**number, **line.outputs, **number}) + "\n")
            elif line.error:
                failures.append((line.line_number, line.error))
            _write_artifacts(run, line, folder)
    return failures


def _write_artifacts(run: RunRecord, line: LineResult, folder: Path) -> None:
    number = f"{line.line_number:09}"
    _write_json(folder / "flow_artifacts" / f"{number}_{number}.jsonl", _line_artifact(run, line))
    for node in line.nodes:
        _write_node(folder, node.node, line.line_number, _node_artifact(run, line, node))


def _write_node(folder: Path, node: str, index: int, artifact: dict[str, Any]) -> None:
    place = folder / "node_artifacts" / _folder_name(node)
    place.mkdir(exist_ok=True)
    _write_json(place / f"{index:09}.jsonl", artifact)


def _folder_name(node: str) -> str:
    """A node's name as the name of one folder, wherever the name came from."""
    return re.sub(r'[/\\:*?"<>|\x00-\x1f]|^\.+', "_", node) or "_"


def _line_artifact(run: RunRecord, line: LineResult) -> dict[str, Any]:
    start, end = _times(line.started_at or run.created_at, line.duration_s)
    inputs = {**line.inputs, "line_number": line.line_number}
    output = line.returned if line.status == "completed" else None
    error = error_to_promptflow(line.error) if line.error else None
    metrics = {
        "duration": line.duration_s,
        "prompt_tokens": line.usage.prompt_tokens,
        "completion_tokens": line.usage.completion_tokens,
        "total_tokens": line.usage.total_tokens,
    }
    call: dict[str, Any] = {"name": "flow", "node_name": "flow", "type": "Flow", "children": []}
    call |= {"system_metrics": metrics}
    call |= {"start_time": start.timestamp(), "end_time": end.timestamp()}
    run_info = {
        "run_id": f"{run.name}_{line.line_number}",
        "status": line.status.capitalize(),
        "error": error,
        "inputs": inputs,
        "output": output,
        "metrics": None,
        "request": None,
        "parent_run_id": run.name,
        "root_run_id": run.name,
        "source_run_id": None,
        "flow_id": "default_flow_id",
        "start_time": _zulu(start),
        "end_time": _zulu(end),
        "index": line.line_number,
        "api_calls": [{**call, "inputs": inputs, "output": output, "error": error}],
        "name": "",
        "description": "",
        "tags": None,
        "system_metrics": metrics,
        "result": None,
        "upload_metrics": False,
        "otel_trace_id": None,
        "message_format": "basic",
    }
    outer = {"name": "", "description": "", "status": line.status.capitalize(), "tags": None}
    return {"line_number": line.line_number, "run_info": run_info, **_plain_times(start, end), **outer}


def _node_artifact(run: RunRecord, line: LineResult, node: NodeResult) -> dict[str, Any]:
    start, end = _times(line.started_at or run.created_at, node.duration_s)
    info = _node_info(node.node, node.status, node.error, start, end)
    info |= {
        "flow_run_id": run.name,
        "run_id": f"{run.name}_{node.node}_{line.line_number}",
        "parent_run_id": f"{run.name}_{line.line_number}",
        "index": line.line_number,
        "output": node.output,
        "system_metrics": {
            "duration": node.duration_s,
            "prompt_tokens": node.usage.prompt_tokens,
            "completion_tokens": node.usage.completion_tokens,
            "total_tokens": node.usage.total_tokens,
        },
    }
    return _node_record(node.node, line.line_number, info, start, end)


def _write_aggregation_failure(run: RunRecord, error: ErrorRecord, folder: Path) -> None:
    if error.node is None:
        return
    start, end = _times(run.ended_at or run.created_at, 0.0)
    info = _node_info(error.node, "failed", error, start, end)
    info |= {"flow_run_id": run.name, "run_id": f"{run.name}_{error.node}_reduce", "parent_run_id": run.name}
    _write_node(folder, error.node, 0, _node_record(error.node, None, {**info, "index": None}, start, end))


def _node_info(node: str, status: str, error: ErrorRecord | None, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "node": node,
        "status": status.capitalize(),
        "inputs": None,
        "output": None,
        "metrics": None,
        "error": error_to_promptflow(error) if error else None,
        "start_time": _zulu(start),
        "end_time": _zulu(end),
        "api_calls": [],
        "cached_run_id": None,
        "cached_flow_run_id": None,
        "logs": {"stdout": "", "stderr": ""},
        "system_metrics": {},
        "result": None,
        "message_format": "basic",
    }


def _node_record(
    node: str, line_number: int | None, info: dict[str, Any], start: datetime, end: datetime
) -> dict[str, Any]:
    times = _plain_times(start, end)
    return {"NodeName": node, "line_number": line_number, "run_info": info, **times, "status": info["status"]}


def _metadata(run: RunRecord) -> dict[str, Any]:
    flow = Path(run.flow)
    properties = {
        "flow_path": str(flow.parent if flow.suffix in (".yaml", ".yml") else flow),
        "run": run.base_run,
        "node_variant": run.variant,
        "column_mapping": dict(run.column_mapping),
        "resume_from": run.resumed_from,
        "system_metrics": {
            "duration": run.duration_s,
            "prompt_tokens": run.usage.prompt_tokens,
            "completion_tokens": run.usage.completion_tokens,
            "total_tokens": run.usage.total_tokens,
            "__pf__.lines.completed": run.lines.completed,
            "__pf__.lines.failed": run.lines.failed,
        },
    }
    return {
        "name": run.name,
        "display_name": run.display_name or run.name,
        "description": run.description or "",
        "tags": dict(run.tags),
        "status": run.status.capitalize(),
        "created_on": run.created_at,
        "start_time": run.created_at,
        "end_time": run.ended_at or run.created_at,
        "data": run.data,
        "properties": {**run.properties, **{key: value for key, value in properties.items() if value is not None}},
    }


def _log(run: RunRecord, failures: list[tuple[int, ErrorRecord]]) -> str:
    lines = [f"{run.created_at} run {run.name} of {run.flow}"]
    lines += [f"WARNING {warning}" for warning in run.warnings]
    lines += [f"ERROR line {number} failed: {error.type}: {error.message}" for number, error in failures]
    lines += [f"ERROR aggregation failed: {error.type}: {error.message}" for error in run.errors]
    counts = f"{run.lines.completed} completed, {run.lines.failed} failed of {run.lines.total}"
    return "\n".join([*lines, f"{run.ended_at} {run.status}: {counts}", ""])


def _times(start: str, duration_s: float) -> tuple[datetime, datetime]:
    try:
        began = datetime.fromisoformat(start).astimezone(UTC)
    except ValueError:
        began = datetime.fromtimestamp(0, UTC)
    return began, began + timedelta(seconds=duration_s)


def _zulu(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _plain_times(start: datetime, end: datetime) -> dict[str, str]:
    return {"start_time": _zulu(start)[:-1], "end_time": _zulu(end)[:-1]}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(dump_json(value) + "\n", encoding="utf-8")
