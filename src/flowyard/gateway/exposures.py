"""The exposure log: which unit got which arm, one JSON line for each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

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
        self._waiting: list[Callable[[], str]] = []
        self._lost = 0
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
        """Keep what became of a request."""
        if self._sink is None:
            return
        if not self._waiting and self.later is not None:
            self.later(_EVERY_S, self.flush)
        if len(self._waiting) >= _MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append(partial(self._text, asked, arm, version, status, latency_s, time.time()))

    def flush(self) -> None:
        """Hand on what waits."""
        if self._sink is not None:
            for text in self._waiting:
                self._sink.put(text)
            self._waiting.clear()

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._sink is not None:
            self._sink.close()

    def _text(self, asked: Asked, arm: str, version: str, status: int, latency_s: float, at: float) -> str:
        return json.dumps(
            {
                "kind": "exposure",
                "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
                "request_id": asked.request_id,
                "trace_id": asked.trace_id,
                "experiment": json.loads(self._experiment),
                "unit": self._hashes.name(asked.unit),
                "unit_from": asked.unit_from,
                "arm": arm,
                "chosen_by": asked.chosen_by,
                "version": version,
                "epoch": asked.epoch,
                "status": status,
                "latency_s": round(latency_s, 6),
                "first_piece_s": asked.first_piece_s,
                "mirror": asked.is_mirror,
            }
        )
