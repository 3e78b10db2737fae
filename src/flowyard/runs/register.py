"""A folder that prompt flow wrote for a run, or that was exported, becomes a run of this store.

The folder is somebody's data: names are checked, nothing in it is executed and no path in it is followed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from flowyard.abc import Store
from flowyard.errors import UserError
from flowyard.records import LineCounts, LineResult, NodeResult, NodeStatus, RunRecord, RunStatus, Usage
from flowyard.runs.error_form import error_from_promptflow
from flowyard.runs.results import ResultWriter, write_outputs
from flowyard.runs.run import require_name
from flowyard.sessions.encoding import LineEncoder

__all__ = ["register_run", "store_run"]

T = TypeVar("T")

_RUN_STATUS: Mapping[str, RunStatus] = {"completed": "completed", "failed": "failed", "canceled": "canceled"}
_NODE_STATUS: Mapping[str, NodeStatus] = {
    "completed": "completed",
    "failed": "failed",
    "canceled": "canceled",
    "bypassed": "bypassed",
}


def register_run(
    folder: Path,
    store: Store,
    *,
    name: str | None = None,
    display_name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunRecord:
    """Store the run in ``folder``; what is given goes over what its ``run_metadata.json`` says, if it has one.

    Raises UserError when the folder holds no run that has ended, Conflict when the name is taken.
    """
    lines = _read_lines(folder)
    record = _record(folder, lines)
    named = replace(
        record,
        name=require_name(name or record.name),
        display_name=display_name or record.display_name,
        description=description or record.description,
        tags=dict(tags or record.tags),
    )
    return store_run(named, lines, store)


def store_run(record: RunRecord, lines: Sequence[LineResult], store: Store) -> RunRecord:
    """Store a run whose lines are known, with the status of its record. Raises Conflict when the name is taken."""
    with store.hold(record.name):
        return _taken(store.create_run(replace(record, status="running")), lines, record.status, store)


def _taken(run: RunRecord, lines: Sequence[LineResult], ended: RunStatus, store: Store) -> RunRecord:
    status: RunStatus = "canceled"
    try:
        encoder = LineEncoder(run.path / "media")
        with ResultWriter(run.lines_path) as writer:
            for line in lines:
                writer.append(encoder.finished(line))
        write_outputs(run)
        status = ended
    finally:
        store.save_run(replace(run, status=status))
    return store.get_run(run.name)


def _record(folder: Path, lines: list[LineResult]) -> RunRecord:
    metadata = _json_file(folder / "run_metadata.json")
    properties = _mapping(metadata.get("properties"))
    status = _RUN_STATUS.get(str(metadata.get("status", "Completed")).lower())
    if status is None:
        raise UserError(f"The run in {folder} is {metadata.get('status')}; only one that has ended is registered.")
    completed = sum(line.status == "completed" for line in lines)
    error = _json_file(folder / "error.json")
    created = str(metadata.get("created_on") or datetime.now(UTC).isoformat())
    return RunRecord(
        name=str(metadata.get("name") or folder.resolve().name),
        status=status,
        flow=str(properties.get("flow_path") or metadata.get("flow_name") or folder.resolve().name),
        path=Path(),
        display_name=_text(metadata.get("display_name")),
        description=_text(metadata.get("description")) or None,
        tags={str(key): str(value) for key, value in _mapping(metadata.get("tags")).items()},
        properties=dict(properties),
        data=_text(metadata.get("data")),
        variant=_text(properties.get("node_variant")),
        column_mapping=_mapping(properties.get("column_mapping")),
        created_at=created,
        ended_at=_text(metadata.get("end_time")) or created,
        duration_s=_number(_mapping(properties.get("system_metrics")).get("duration")),
        lines=LineCounts(len(lines), completed, len(lines) - completed),
        metrics=_json_file(folder / "metrics.json"),
        usage=sum((line.usage for line in lines), Usage()),
        errors=tuple(map(error_from_promptflow, _aggregation_errors(error))),
        source=str(folder.resolve()),
    )


def _aggregation_errors(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in error.get("additionalInfo") or ():
        for entry in _mapping(_mapping(item).get("info")).get("errors") or ():
            if "aggregation_node_name" in _mapping(entry):
                yield _mapping(entry.get("error"))


def _read_lines(folder: Path) -> list[LineResult]:
    """Every line, ascending. Raises UserError when there is none, or one twice."""
    artifacts = folder / "flow_artifacts"
    if not artifacts.is_dir():
        raise UserError(f"{folder} holds no run: there is no flow_artifacts in it.", hint="Name the run's own folder.")
    nodes = _read_nodes(folder / "node_artifacts")
    found: dict[int, LineResult] = {}
    for where, record in _records(artifacts, "*.jsonl"):
        line = _parse(where, _line, record, nodes)
        if line.line_number in found:
            raise UserError(f"Line {line.line_number} is there twice.", where=where)
        found[line.line_number] = line
    if not found:
        raise UserError(f"{artifacts} holds no lines.")
    return [found[number] for number in sorted(found)]


def _read_nodes(folder: Path) -> dict[int, list[NodeResult]]:
    found: dict[int, list[NodeResult]] = {}
    for where, record in _records(folder, "*/*.jsonl"):
        if record.get("line_number") is not None:
            found.setdefault(int(record["line_number"]), []).append(_parse(where, _node, record))
    return found


def _line(record: Mapping[str, Any], nodes: Mapping[int, list[NodeResult]]) -> LineResult:
    info, number = record["run_info"], int(record["line_number"])
    done = str(info["status"]).lower() == "completed"
    inputs = {name: value for name, value in _mapping(info.get("inputs")).items() if name != "line_number"}
    output = info.get("output")
    bare = done and not isinstance(output, dict)
    return LineResult(
        line_number=number,
        status="completed" if done else "failed",
        inputs=inputs,
        outputs={"output": output} if bare else _mapping(output) if done else {},
        error=None if done else error_from_promptflow(_mapping(info.get("error"))),
        nodes=tuple(nodes.get(number, ())),
        duration_s=_number(_mapping(info.get("system_metrics")).get("duration")),
        usage=_usage(info),
        started_at=str(info.get("start_time") or ""),
        is_bare=bare,
    )


def _node(record: Mapping[str, Any]) -> NodeResult:
    info = record["run_info"]
    return NodeResult(
        node=str(info["node"]),
        status=_NODE_STATUS.get(str(info["status"]).lower(), "failed"),
        output=info.get("output"),
        error=error_from_promptflow(info["error"]) if info.get("error") else None,
        duration_s=_number(_mapping(info.get("system_metrics")).get("duration")),
        usage=_usage(info),
    )


def _usage(info: Mapping[str, Any]) -> Usage:
    """Tokens as they were counted; how many calls they took is not in the folder."""
    metrics = _mapping(info.get("system_metrics"))
    prompt, completion = (int(_number(metrics.get(name))) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(0, prompt, completion)


def _records(folder: Path, pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """``file:line`` and record of every JSON line, in the order of the files' names."""
    for file in sorted(folder.glob(pattern)):
        with file.open("rb") as lines:
            for position, raw in enumerate(lines, start=1):
                if raw.strip():
                    where = f"{file.relative_to(folder.parent).as_posix()}:{position}"
                    yield where, _parse(where, _object, raw)


def _parse(where: str, read: Callable[..., T], *args: Any) -> T:
    """What ``read`` makes of stored JSON. Raises UserError when it is not what a run's record looks like."""
    try:
        return read(*args)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"This is no record of a run: {type(error).__name__} {error}.", where=where) from None


def _object(raw: bytes) -> Mapping[str, Any]:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise TypeError(f"a JSON {type(value).__name__} instead of an object")
    return value


def _json_file(path: Path) -> Mapping[str, Any]:
    """The object in a file, empty when there is no file."""
    return _parse(path.name, _object, path.read_bytes()) if path.is_file() else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
