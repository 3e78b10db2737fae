"""The results of a run on disk: one JSON object a line, appended as lines finish.

``lines.jsonl`` is the truth. ``outputs.jsonl`` is derived from it when the run ends: completed lines only, ascending.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from flowyard._util.files import dump_json
from flowyard._util.redact import redact_json
from flowyard.media import MediaWriter, dump_media
from flowyard.records import ErrorRecord, LineResult, NodeResult, RunRecord, Usage

__all__ = ["ResultWriter", "line_from_json", "line_to_json", "read_lines", "storable", "write_outputs"]

Show = Callable[[Any], Any]


class ResultWriter:
    """Appends finished lines to ``lines.jsonl``; each is on its way to disk before the next one is taken.

    ``secrets`` are hidden in whatever is stored. Pictures are written by ``media``, beside the lines by default.
    """

    def __init__(
        self, path: Path, secrets: Callable[[], Iterable[str]] = tuple, media: MediaWriter | None = None
    ) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._secrets = secrets
        self._show: Show = partial(dump_media, writer=media or MediaWriter(path.parent / "media", relative=False))

    def append(self, result: LineResult) -> LineResult:
        """Store a line and return it; one whose values JSON cannot say is stored, and returned, as failed."""
        result, text = storable(result, self._show)
        self._file.write((redact_json(text, self._secrets()) + "\n").encode())
        return result

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_lines(run: RunRecord) -> Iterator[LineResult]:
    """Every finished line of a run, ascending by line number; a torn last record is left out.

    Only the position of each line is kept in memory, not its content.
    """
    path = run.lines_path
    if not path.exists():
        return
    with path.open("rb") as file:
        for _, offset in sorted(_positions(file)):
            file.seek(offset)
            yield line_from_json(json.loads(file.readline()))


def write_outputs(run: RunRecord) -> None:
    """Write ``outputs.jsonl`` from ``lines.jsonl``."""
    temporary = run.outputs_path.with_suffix(".jsonl.part")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for line in read_lines(run):
            if line.status == "completed":
                number = {"line_number": line.line_number}  # first for people, and last so that no output replaces it
                file.write(dump_json(number | dict(line.outputs) | number) + "\n")
    temporary.replace(run.outputs_path)


def _positions(file: BinaryIO) -> Iterator[tuple[int, int]]:
    offset = 0
    for raw in file:
        if raw.endswith(b"\n"):
            yield json.loads(raw)["line_number"], offset
        offset += len(raw)


def storable(result: LineResult, show: Show) -> tuple[LineResult, str]:
    """The line and its JSON; a line whose values JSON cannot say is turned into a failed one.

    ``show`` puts something that JSON can say in the place of pictures, in the JSON only.
    """
    try:
        return result, line_to_json(_shown(result, show))
    except Exception as error:  # user code may return anything, and its ``__str__`` may raise anything
        failed = _unstorable(
            result, f"What the line returned cannot be written as JSON: ({type(error).__name__}) {error}"
        )
        return failed, line_to_json(failed)


def _shown(result: LineResult, show: Show) -> LineResult:
    nodes = tuple(replace(node, output=show(node.output)) for node in result.nodes)
    return replace(result, inputs=show(dict(result.inputs)), outputs=show(dict(result.outputs)), nodes=nodes)


def _unstorable(result: LineResult, message: str) -> LineResult:
    return replace(
        result,
        status="failed",
        inputs={name: str(value) for name, value in result.inputs.items()},
        outputs={},
        error=ErrorRecord("OutputUnstorable", message),
        nodes=tuple(replace(node, output=None) for node in result.nodes),
    )


def line_to_json(result: LineResult) -> str:
    """One line of ``lines.jsonl`` without its line end."""
    return dump_json(result)


def line_from_json(data: Mapping[str, Any]) -> LineResult:
    """The inverse of ``line_to_json``."""
    return LineResult(
        line_number=data["line_number"],
        status=data["status"],
        inputs=data["inputs"],
        outputs=data["outputs"],
        error=_error(data["error"]),
        nodes=tuple(_node(node) for node in data["nodes"]),
        duration_s=data["duration_s"],
        usage=Usage(**data["usage"]),
        started_at=data["started_at"],
        is_bare=data.get("is_bare", False),
    )


def _node(data: Mapping[str, Any]) -> NodeResult:
    return NodeResult(**{**data, "error": _error(data["error"]), "usage": Usage(**data["usage"])})


def _error(data: Mapping[str, Any] | None) -> ErrorRecord | None:
    return None if data is None else ErrorRecord(**data)
