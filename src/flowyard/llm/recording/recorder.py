"""Writing calls as they are made."""

from __future__ import annotations

import threading
from functools import lru_cache

from flowyard._util.files import dump_json
from flowyard.llm.call_place import LineCalls
from flowyard.llm.recording.file import append_lines, read_recording
from flowyard.llm.recording.recorded_call import RecordedCall
from flowyard.llm.recording.rules import RecordingRules

__all__ = ["Recorder", "shared_recorder"]


class Recorder:
    """Appends to one recording, from any thread. Nothing is written before the first call."""

    def __init__(self, rules: RecordingRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._known: dict[str, str] | None = None
        self._opened: dict[str, str] = {}
        self.outside = LineCalls()

    def connect(self, name: str, kind: str) -> None:
        """Note a connection that a flow uses."""
        with self._lock:
            self._opened[name] = kind

    def add(self, call: RecordedCall) -> None:
        """Write a call, and before the first one the connections."""
        with self._lock:
            if self._known is None:
                self._known = read_recording(self._rules.file).connections
            new = {name: kind for name, kind in self._opened.items() if self._known.get(name) != kind}
            self._known |= new
            lines = [dump_json({"connection": name, "type": kind}) for name, kind in new.items()]
            append_lines(self._rules, [*lines, dump_json(call.to_json())])


@lru_cache(maxsize=8)
def shared_recorder(rules: RecordingRules) -> Recorder:
    """The one recorder of this process for these rules."""
    return Recorder(rules)
