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
_BATCH = 64
_MOST_ALIKE = 1000
_Alike = tuple[str, str, str, str, str, str, int, int]
_quoted = json.encoder.encode_basestring_ascii


class Exposures:
    """Hands records on to a sink in small batches, so that its thread wakes up once for many of them."""

    def __init__(self, sink: RecordSink | None, experiment: str, hashes: UnitHash) -> None:
        self._sink = sink
        self._experiment = json.dumps(experiment)
        self._hashes = hashes
        self._waiting: list[tuple[Asked, str, str, int, float]] = []
        self._texts: list[str] = []
        self._lost = 0
        self._moment = (-1, "")
        self._alike: dict[_Alike, str] = {}
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
        waiting.append((asked, arm, version, status, latency_s))
        if len(waiting) >= _BATCH:
            self._write_texts()

    def flush(self) -> None:
        """Hand on what waits."""
        if self._sink is not None:
            self._write_texts()
            self._sink.put_all(self._texts)
            self._texts = []

    def _write_texts(self) -> None:
        """Make texts of what waits; many in a row cost less, and few do not keep others waiting.

        Written by hand, because each request pays for it; names in it are plain, and others are escaped. In a thread it
        would take longer: both would wait for each other.
        """
        left = max(0, _MOST_WAITING - len(self._texts))
        self._lost += max(0, len(self._waiting) - left)
        names, name_of, experiment = self._hashes.names, self._hashes.name, self._experiment
        ahead_s = time.time() - time.monotonic()  # of the clock by which requests began
        for asked, arm, version, status, latency_s in self._waiting[:left]:
            millisecond = int((ahead_s + asked.began + latency_s) * 1000)
            if millisecond != self._moment[0]:
                self._moment = millisecond, _moment(millisecond)
            unit_from, first = asked.unit_from, asked.first_piece_s
            unit = name_of(asked.unit) if unit_from == "request" else names[asked.unit]
            key = (
                unit_from,
                arm,
                asked.assigned,
                asked.chosen_by,
                asked.assigned_version,
                version,
                asked.epoch,
                status,
            )
            ended = (
                '"first_piece_s": null, "mirror": false}'
                if first is None and not asked.is_mirror
                else f'"first_piece_s": {json.dumps(first)}, "mirror": {"true" if asked.is_mirror else "false"}}}'
            )
            self._texts.append(
                f'{{"kind": "exposure", "at": "{self._moment[1]}", "request_id": {_quoted(asked.request_id)}, '
                f'"trace_id": "{asked.trace_id}", "experiment": {experiment}, "unit": "{unit}", '
                f'{self._alike.get(key) or self._remembered(key)}, "latency_s": {latency_s:.6f}, {ended}'
            )
        self._waiting.clear()

    def _remembered(self, key: _Alike) -> str:
        """What is alike in the records of many requests."""
        unit_from, arm, assigned, chosen_by, assigned_version, version, epoch, status = key
        before = f'"assigned_version": {_quoted(assigned_version)}, ' if chosen_by == "fallback" else ""
        text = (
            f'"unit_from": "{unit_from}", "arm": "{arm}", "assigned": "{assigned}", {before}'
            f'"chosen_by": "{chosen_by}", "version": {_quoted(version)}, "epoch": {epoch}, "status": {status}'
        )
        if len(self._alike) >= _MOST_ALIKE:
            self._alike.clear()
        self._alike[key] = text
        return text

    def close(self) -> None:
        """Write what is left."""
        self.flush()
        if self._sink is not None:
            self._sink.close()


def _moment(millisecond: int) -> str:
    """UTC, ISO 8601, with milliseconds."""
    second, rest = divmod(millisecond, 1000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}+00:00"
