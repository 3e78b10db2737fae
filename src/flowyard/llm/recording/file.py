"""A recording on disk: JSON lines, first the connections that were used, then the calls.

While a run records, processes take turns to append whole lines. When it ends the file is put in order, so that the
same calls give the same file. The last line of a process that was killed while it wrote is no line yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.lock import locked
from flowyard.errors import UserError
from flowyard.llm.recording.recorded_call import RecordedCall
from flowyard.llm.recording.rules import RecordingRules

__all__ = ["Recording", "append_lines", "read_recording", "tidy_recording"]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file holds: ``connections`` are types by name, ``calls`` has the last one of each identity."""

    connections: dict[str, str] = field(default_factory=dict)
    calls: dict[tuple[Any, ...], RecordedCall] = field(default_factory=dict)


def read_recording(path: Path) -> Recording:
    """The recording at ``path``; a missing file is an empty one. Raises UserError with file:line."""
    recording = Recording()
    for number, text in _lines(path):
        try:
            data = json.loads(text)
            if "operation" in data:
                call = RecordedCall.from_json(data)
                recording.calls[call.identity] = call
            else:
                recording.connections[str(data["connection"])] = str(data["type"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"A line of {path} is not a recorded call.",
                hint="Repair the line, or delete the file and record it again with --record.",
                where=f"{path.name}:{number}",
            ) from None
    return recording


def append_lines(rules: RecordingRules, lines: Iterable[str]) -> None:
    """Add whole lines; what a killed process left of a line is taken away first."""
    data = "".join(f"{line}\n" for line in lines).encode()
    rules.lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(rules.lock), rules.file.open("a+b", buffering=0) as file:
        end = file.seek(0, 2)
        if end and _last_byte(file, end) != b"\n":
            whole = _end_of_whole_lines(rules.file)
            file.truncate(whole)
            data = b"\n" * (whole == end) + data
        file.write(data)


def tidy_recording(rules: RecordingRules) -> None:
    """Put the file in order: one line for each call, by node, line and request. Raises UserError."""
    if not rules.file.exists():
        return
    with locked(rules.lock):
        found = read_recording(rules.file)
        lines = [dump_json({"connection": name, "type": found.connections[name]}) for name in sorted(found.connections)]
        lines += [dump_json(found.calls[identity].to_json()) for identity in sorted(found.calls)]
        content = "".join(f"{line}\n" for line in lines)
        if content.encode() != rules.file.read_bytes():
            write_atomic(rules.file, content)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The whole lines with their numbers, from 1; blank ones are left out."""
    try:
        file = path.open(encoding="utf-8", newline="\n")
    except FileNotFoundError:
        return
    with file:
        for number, text in enumerate(file, start=1):
            # Some editors do not end the last line; what a killed process left is no JSON.
            if text.strip() and (text.endswith("\n") or _is_json(text)):
                yield number, text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _last_byte(file: Any, end: int) -> bytes:
    file.seek(end - 1)
    return bytes(file.read(1))


def _end_of_whole_lines(path: Path) -> int:
    data = path.read_bytes()
    return len(data) if _is_json(data.rpartition(b"\n")[2].decode("utf-8", "replace")) else data.rfind(b"\n") + 1
