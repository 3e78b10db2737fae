"""What a session and its worker processes say to each other: pickled tuples, each after its length.

Both ends are processes of the same user and the same run, connected by pipes that nobody else has.

    to a worker                                   from a worker
    ("variables", {name: value})
    ("prepare", request)                          ("prepared", Prepared) | ("refused", error)
    ("begin", place, black box file, limit)
    ("lines", [(number, inputs, error), …])       ("lines", [FinishedLine, …])
    ("limit", lines at once, its number)
    ("hand over",)                                ("kept", [bytes, …])
    ("aggregate", [bytes, …], [stored, …])        ("aggregated", AggregationResult)
    ("last words",)                               ("last words", usage, warnings)
    ("end",)
"""

from __future__ import annotations

import pickle
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from flowyard.flows.model import Input, Output

__all__ = ["FEW_AT_ONCE", "Channel", "Message", "Prepared"]

Message = tuple[Any, ...]
FEW_AT_ONCE = 16
"""When no more lines run at once, each is told of at once and slow ones are given out one by one: what a kill finds
untold or not stored was paid for in vain. With more, the time for that would be missing."""
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a worker tells of the flow it prepared: what its code declares, and whether aggregation reads lines."""

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    warnings: tuple[str, ...]
    aggregates: bool


class Channel:
    """Two pipes. One thread may receive; any thread may send."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message whole. Raises OSError when the other end is gone, and what pickling raises."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._outgoing.write(_LENGTH.pack(len(data)) + data)
            self._outgoing.flush()

    def receive(self) -> Message | None:
        """The next message; None when the other end is gone, also in the middle of a message."""
        try:
            head = self._incoming.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack(head)
            data = self._incoming.read(length)
        except OSError:
            return None
        if len(data) < length:
            return None
        message: Message = pickle.loads(data)  # noqa: S301 - see above
        return message

    def close(self) -> None:
        """Close the way out; the other end then receives None."""
        with self._lock:
            try:
                self._outgoing.close()
            except OSError:
                return
