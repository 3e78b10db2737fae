"""A finished line as one line of ``lines.jsonl``: JSON with a checksum at its end, and back.

Whoever ran the line also encodes it, so that the process that collects thousands of them only appends bytes.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flowyard._util.files import dump_json
from flowyard._util.redact import redact_json
from flowyard.errors import StoreError
from flowyard.media import MediaWriter, dump_media
from flowyard.records import NO_USAGE, ErrorRecord, LineResult, NodeResult, Usage
from flowyard.sessions.session import FinishedLine

__all__ = [
    "LineEncoder",
    "LineHead",
    "Show",
    "is_whole",
    "line_from_json",
    "line_to_json",
    "read_head",
    "read_line",
    "storable",
]

Show = Callable[[Any], Any]
"""Puts something that JSON can say in the place of pictures."""

_quoted = json.JSONEncoder(ensure_ascii=False).encode
_CHECK = ', "crc32": "'
_CHECK_BYTES = len(_CHECK) + 8 + 2  # eight digits, a quote and a brace
_USAGE = tuple(each.name for each in fields(Usage))


class LineEncoder:
    """Makes the stored bytes of lines. ``secrets`` are hidden in them; pictures go into the folder ``media``."""

    def __init__(
        self, media: Path, secrets: Callable[[], Iterable[str]] = tuple, message_format: str = "basic"
    ) -> None:
        self._secrets = secrets
        self._show: Show = partial(dump_media, writer=MediaWriter(media, message_format, relative=False))

    def encode(self, result: LineResult) -> tuple[LineResult, bytes]:
        """The line and its bytes without a line end; a line whose values JSON cannot say is returned as failed."""
        result, text = storable(result, self._show)
        return result, _checked(redact_json(text, self._secrets()))

    def finished(self, result: LineResult) -> FinishedLine:
        """The line as it is told and stored."""
        result, text = self.encode(result)
        usage = result.usage if result.usage != NO_USAGE else NO_USAGE  # one object is told once in a message
        return FinishedLine(result.line_number, result.status, text, result.duration_s, usage, result.error)


def is_whole(raw: bytes) -> bool:
    """Whether the bytes of a stored line are those that were written.

    A line without a checksum (from an earlier version, or another program) is taken as it is.
    """
    body = raw.rstrip(b"\n")
    start = len(body) - _CHECK_BYTES
    if start <= 0 or not body.startswith(_CHECK.encode(), start):
        return _OURS.match(body) is None
    return f"{zlib.crc32(b'}', zlib.crc32(body[:start])):08x}".encode() == body[-10:-2]


def read_line(raw: bytes, label: str) -> LineResult:
    """The inverse of ``LineEncoder.encode``. Raises StoreError, saying ``label``, when bytes were changed."""
    if not is_whole(raw):
        raise StoreError(f"{label} is damaged: its checksum does not fit.", hint=_DAMAGED)
    try:
        return line_from_json(json.loads(raw))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{label} is damaged: {error}.", hint=_DAMAGED) from None


_DAMAGED = "Lines that are damaged are run again by: flowyard run resume NAME"


class LineHead(NamedTuple):
    """The beginning of a stored line: its number, its status and the JSON of its outputs."""

    line_number: int
    status: str
    outputs: str


def read_head(raw: bytes) -> LineHead | None:
    """The beginning of a line without reading the rest; None when the line is written otherwise."""
    text = raw.decode()
    match = _HEAD.match(text)
    if match is None:
        return None
    _, end = _scan(text, match.end())
    return LineHead(int(match[1]), match[2], text[match.end() : end])


_OURS = re.compile(rb'\{"line_number": -?\d+, "status": "\w+", "outputs": ')
"""The beginning of lines that have a checksum."""
_HEAD = re.compile(r'\{"line_number": (-?\d+), "status": "(\w+)", "outputs": ')
_scan = json.JSONDecoder().raw_decode


def _checked(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it in ASCII only
        raw = json.dumps(json.loads(text)).encode()
    return b'%b%b%08x"}' % (raw[:-1], _CHECK.encode(), zlib.crc32(raw))


def storable(result: LineResult, show: Show) -> tuple[LineResult, str]:
    """The line and its JSON; a line whose values JSON cannot say is turned into a failed one.

    ``show`` changes the JSON only.
    """
    try:
        return result, line_to_json(result, show)
    except Exception as error:  # user code may return anything, and its ``__str__`` may raise anything
        failed = _unstorable(
            result, f"What the line returned cannot be written as JSON: ({type(error).__name__}) {error}"
        )
        return failed, line_to_json(failed)


def line_to_json(result: LineResult, show: Show = lambda value: value) -> str:
    """One line of ``lines.jsonl`` without checksum and line end; its order is part of the format (``read_head``)."""
    nodes = ", ".join([_node_to_json(node, show) for node in result.nodes])
    return (
        f'{{"line_number": {result.line_number}, "status": "{result.status}", '
        f'"outputs": {_mapping_to_json(result.outputs, show)}, "inputs": {_mapping_to_json(result.inputs, show)}, '
        f'"error": {_error_to_json(result.error)}, "nodes": [{nodes}], "duration_s": {result.duration_s:.6f}, '
        f'"usage": {_usage_to_json(result.usage)}, "started_at": "{result.started_at}", '
        f'"is_bare": {"true" if result.is_bare else "false"}}}'
    )


def _node_to_json(node: NodeResult, show: Show) -> str:
    return (
        f'{{"node": {_quoted(node.node)}, "status": "{node.status}", "output": {_value_to_json(node.output, show)}, '
        f'"error": {_error_to_json(node.error)}, "duration_s": {node.duration_s:.6f}, '
        f'"usage": {_usage_to_json(node.usage)}{_prompts_to_json(node.prompts)}}}'
    )


def _prompts_to_json(prompts: tuple[str, ...]) -> str:
    """What models were asked, where any was."""
    return f', "prompts": [{", ".join(map(_quoted, prompts))}]' if prompts else ""


def _mapping_to_json(values: Mapping[str, Any], show: Show) -> str:
    if not all(type(name) is str for name in values):
        return dump_json(show(dict(values)))
    return "{" + ", ".join([f"{_quoted(name)}: {_value_to_json(value, show)}" for name, value in values.items()]) + "}"


def _value_to_json(value: Any, show: Show) -> str:
    """Texts are most of what flows give, and are written without the detour over an encoder made for each value."""
    return _quoted(value) if type(value) is str else "null" if value is None else dump_json(show(value))


def _usage_to_json(usage: Usage) -> str:
    """What was used; what was not is left out."""
    if usage is NO_USAGE or usage == NO_USAGE:
        return "{}"
    used = [f'"{name}": {value!r}' for name in _USAGE if (value := getattr(usage, name))]  # numbers, all of them
    return "{" + ", ".join(used) + "}"


def _error_to_json(error: ErrorRecord | None) -> str:
    return "null" if error is None else dump_json(error)


def _unstorable(result: LineResult, message: str) -> LineResult:
    return replace(
        result,
        status="failed",
        inputs={name: str(value) for name, value in result.inputs.items()},
        outputs={},
        error=ErrorRecord("OutputUnstorable", message),
        nodes=tuple(replace(node, output=None) for node in result.nodes),
    )


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
    prompts = tuple(data.get("prompts", ()))
    return NodeResult(**{**data, "error": _error(data["error"]), "usage": Usage(**data["usage"]), "prompts": prompts})


def _error(data: Mapping[str, Any] | None) -> ErrorRecord | None:
    return None if data is None else ErrorRecord(**data)
