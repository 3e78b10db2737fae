"""Finding the answer to a call in a recording."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from flowyard.errors import ProviderError, UserError
from flowyard.llm.call_place import CallPlace, LineCalls
from flowyard.llm.recording.differences import describe_nearest
from flowyard.llm.recording.file import Recording, read_recording
from flowyard.llm.recording.recorded_call import Asked, RecordedCall

__all__ = ["Replay", "open_recording"]


class Replay:
    """The calls of a recording by what they ask."""

    def __init__(self, recording: Recording, path: Path) -> None:
        self.connections = recording.connections
        self.outside = LineCalls()
        self._path = path
        self._calls: dict[str, list[RecordedCall]] = {}
        for identity in sorted(recording.calls):
            call = recording.calls[identity]
            self._calls.setdefault(call.asked.key, []).append(call)

    def find(self, asked: Asked, place: CallPlace, number: int) -> RecordedCall:
        """The recorded call: of the same node and line when there is one, else of the nearest place that has one.

        Raises ProviderError for a call that was not recorded, saying what differs from the nearest one.
        """
        found = self._calls.get(asked.key, ())
        same = [call for call in found if call.number == number]
        if same:
            return min(same, key=lambda call: _distance(call, place))
        raise ProviderError(
            self._missing(asked, place, found),
            retryable=False,
            hint=f"Record it: run once with --record {self._path} where there is a key, and commit the file.",
        )

    def _missing(self, asked: Asked, place: CallPlace, found: Iterable[RecordedCall]) -> str:
        at = f"node {place.label!r}" if place.label else "code outside of nodes"
        line = f" for line {place.line.line_number}" if place.line and place.line.line_number is not None else ""
        start = f"{self._path.name} has no answer to this call of model {asked.model!r} by {at}{line}."
        times = len({call.number for call in found})
        if times:
            return f"{start} The same request was recorded {times} time{'s' if times > 1 else ''}, and now comes again."
        return f"{start} {describe_nearest(asked, place.label, self._all())}"

    def _all(self) -> Iterable[RecordedCall]:
        return (call for calls in self._calls.values() for call in calls)


def open_recording(path: Path) -> Replay:
    """The recording at ``path``, read once for each state of the file. Raises UserError when it cannot be read."""
    try:
        found = path.stat()
    except OSError as error:
        hint = f"Make it where there is a key: --record {path}"
        raise UserError(f"Cannot read the recording {path}: {error.strerror}.", hint=hint) from None
    return _load(path, found.st_mtime_ns, found.st_size, os.getpid())


@lru_cache(maxsize=4)
def _load(path: Path, _changed_ns: int, _size: int, _process: int) -> Replay:
    return Replay(read_recording(path), path)


def _distance(call: RecordedCall, place: CallPlace) -> tuple[bool, bool]:
    line = place.line.line_number if place.line else None
    return call.node != place.label, call.line != line
