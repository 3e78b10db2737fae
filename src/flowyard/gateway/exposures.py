"""The exposure log: which unit got which arm, one JSON line for each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from flowyard.abc import RecordSink
from flowyard.gateway.asked import Asked
from flowyard.gateway.split import UnitHash

__all__ = ["Exposures"]

_EVERY_S = 0.05
_MOST_WAITING = 5_000


class Exposures:
    """Hands records on to a sink in small batches, so that its thread wakes up once for many of them."""

    def __init__(self, sink: RecordSink | None, experiment: str, hashes: UnitHash) -> None:
        self._sink = sink
        self._experiment = json.dumps(experiment)
        self._hashes = hashes
        self._waiting: list[str] = []
        self._lost = 0
        self._second = (-1.0, "")
        self.later: Callable[[float, Callable[[], None]], object] | None = None
        """Calls something so many seconds later: the loop's."""

    @property
    def is_on(self) -> bool:
        return self._sink is not None

    @property
    def dropped(self) -> int:
        """Records that could not be kept."""
        return self._lost + (self._sink.dropped if self._sink is not None else 0)

    def ended(self, asked: Asked, arm: str, version: str, status: int, latency_s: float) -> None:
        """Keep what became of a request; one to ``/feedback`` is none that a test of two arms could count."""
        if self._sink is None or asked.is_feedback:
            return
        if not self._waiting and self.later is not None:
            self.later(_EVERY_S, self.flush)
        if len(self._waiting) >= _MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append(self._text(asked, arm, version, status, latency_s, time.time()))

    def flush(self) -> None:
        """Hand on what waits."""
        if self._sink is not None:
            for text in self._waiting:
                self._sink.put(text.__str__)
            self._waiting.clear()

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._sink is not None:
            self._sink.close()

    def _text(self, asked: Asked, arm: str, version: str, status: int, latency_s: float, at: float) -> str:
        """Written by hand, because each request waits for it; names in it are plain, and others are escaped.

        In a thread it would take longer: both would wait for each other.
        """
        first = "null" if asked.first_piece_s is None else f"{asked.first_piece_s:.6f}"
        return (
            f'{{"kind": "exposure", "at": "{self._moment(at)}", "request_id": {json.dumps(asked.request_id)}, '
            f'"trace_id": "{asked.trace_id}", "experiment": {self._experiment}, '
            f'"unit": "{self._hashes.name(asked.unit)}", "unit_from": "{asked.unit_from}", "arm": "{arm}", '
            f'"chosen_by": "{asked.chosen_by}", "version": {json.dumps(version)}, "epoch": {asked.epoch}, '
            f'"status": {status}, "latency_s": {latency_s:.6f}, "first_piece_s": {first}, '
            f'"mirror": {"true" if asked.is_mirror else "false"}}}'
        )

    def _moment(self, at: float) -> str:
        """UTC, ISO 8601, with milliseconds; all of a second begin alike."""
        second, rest = divmod(at, 1)
        if second != self._second[0]:
            self._second = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second[1]}.{int(rest * 1000):03}+00:00"
