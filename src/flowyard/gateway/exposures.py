"""The exposure log: which unit got which arm, one JSON line for each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from flowyard.abc import RecordSink
from flowyard.gateway.asked import Asked
from flowyard.gateway.split import UnitHash

__all__ = ["Exposures"]

_EVERY_S = 0.05
_MOST_WAITING = 5_000
_BATCH = 64
_FORMAT = (
    '{"kind": "exposure", "at": "%s", "request_id": %s, "trace_id": "%s", "experiment": %s, "unit": "%s", '
    '"unit_from": "%s", "arm": "%s", "assigned": "%s", %s"chosen_by": "%s", "version": %s, "epoch": %d, "status": %d, '
    '"latency_s": %.6f, "first_piece_s": %s, "mirror": %s}'
)
_quoted = lru_cache(json.dumps)


class Exposures:
    """Hands records on to a sink in small batches, so that its thread wakes up once for many of them."""

    def __init__(self, sink: RecordSink | None, experiment: str, hashes: UnitHash) -> None:
        self._sink = sink
        self._experiment = json.dumps(experiment)
        self._hashes = hashes
        self._waiting: list[tuple[Asked, str, str, int, float, float]] = []
        self._texts: list[str] = []
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
        """Keep what became of a request."""
        waiting = self._waiting
        if self._sink is None or not asked.is_counted:
            return
        if not waiting and not self._texts and self.later is not None:
            self.later(_EVERY_S, self.flush)
        waiting.append((asked, arm, version, status, latency_s, time.time()))
        if len(waiting) >= _BATCH:
            self._write_texts()

    def flush(self) -> None:
        """Hand on what waits."""
        if self._sink is not None:
            self._write_texts()
            self._sink.put_all(self._texts)
            self._texts = []

    def _write_texts(self) -> None:
        """Make texts of what waits; many in a row cost less, and few do not keep others waiting."""
        left = max(0, _MOST_WAITING - len(self._texts))
        self._lost += max(0, len(self._waiting) - left)
        self._texts += [self._text(*each) for each in self._waiting[:left]]
        self._waiting.clear()

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._sink is not None:
            self._sink.close()

    def _text(self, asked: Asked, arm: str, version: str, status: int, latency_s: float, at: float) -> str:
        """Written by hand, because each request pays for it; names in it are plain, and others are escaped.

        In a thread it would take longer: both would wait for each other.
        """
        request_id = asked.request_id
        return _FORMAT % (
            self._moment(at),
            f'"{request_id}"' if request_id.isalnum() and request_id.isascii() else json.dumps(request_id),
            asked.trace_id,
            self._experiment,
            (self._hashes.name if asked.unit_from == "request" else self._hashes.names.__getitem__)(asked.unit),
            asked.unit_from,
            arm,
            asked.assigned,
            f'"assigned_version": {_quoted(asked.assigned_version)}, ' if asked.chosen_by == "fallback" else "",
            asked.chosen_by,
            _quoted(version),
            asked.epoch,
            status,
            latency_s,
            "null" if asked.first_piece_s is None else f"{asked.first_piece_s:.6f}",
            "true" if asked.is_mirror else "false",
        )

    def _moment(self, at: float) -> str:
        """UTC, ISO 8601, with milliseconds; all of a second begin alike."""
        second, rest = divmod(at, 1)
        if second != self._second[0]:
            self._second = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second[1]}.{int(rest * 1000):03}+00:00"
