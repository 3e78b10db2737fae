"""The epochs of a gateway: each change of weights begins one, written down before it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.files import append_all, dump_json
from flowyard.errors import StoreError
from flowyard.gateway.split import SlotLine

__all__ = ["Epoch", "EpochFile"]


@dataclass(frozen=True, slots=True)
class Epoch:
    """A time with the same weights. ``number`` counts from 1; ``at`` is UTC, ISO 8601.

    ``drained`` are backends that get nothing, not even from testers. ``in_file`` are the weights that ``gateway.yaml``
    had: when they differ after a restart, a person has changed the file, and its weights begin an epoch.
    """

    number: int
    at: str
    weights: Mapping[str, float]
    line: SlotLine
    reason: str = ""
    drained: frozenset[str] = frozenset()
    in_file: Mapping[str, float] | None = None

    @classmethod
    def after(
        cls,
        last: Epoch | None,
        weights: Mapping[str, float],
        *,
        reason: str,
        drained: frozenset[str] = frozenset(),
        in_file: Mapping[str, float] | None = None,
    ) -> Epoch:
        """The next one; ``weights`` are for all arms, in the order of ``gateway.yaml``."""
        line = SlotLine.first(weights) if last is None else last.line.changed(weights)
        number = 1 if last is None else last.number + 1
        known = in_file if in_file is not None or last is None else last.in_file
        return cls(number, datetime.now(UTC).isoformat(timespec="milliseconds"), weights, line, reason, drained, known)

    def view(self) -> dict[str, Any]:
        """What people and programs get to see."""
        found: dict[str, Any] = {"epoch": self.number, "at": self.at, "weights": dict(self.weights)}
        return {**found, "drained": sorted(self.drained), "reason": self.reason}


class EpochFile:
    """``epochs.jsonl`` in the state folder: append-only, one line for each epoch, synced before it holds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> Epoch | None:
        """The last epoch. A last line that was torn by a crash never held and is taken away. Raises StoreError."""
        data = self._data()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self._path, len(whole))
        lines = whole.splitlines()
        return self._parsed(len(lines), lines[-1]) if lines else None

    def views(self, most: int) -> list[dict[str, Any]]:
        """The last epochs, oldest first, at most so many; not one that is being written. Raises StoreError."""
        data = self._data()
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        first = max(0, len(lines) - most)
        return [self._parsed(number, line).view() for number, line in enumerate(lines[first:], first + 1)]

    def _data(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def append(self, epoch: Epoch) -> None:
        """Write one down so that it outlives a crash of the machine. Raises OSError."""
        line = dump_json({**epoch.view(), "in_file": epoch.in_file, "slots": epoch.line.stretches})
        append_all(self._path, f"{line}\n".encode(), durable=True)

    def _parsed(self, number: int, line: bytes) -> Epoch:
        try:
            body = json.loads(line)
            if body["epoch"] != number:
                raise ValueError(f"epoch {body['epoch']} stands where {number} should")
            return Epoch(
                number=number,
                at=str(body["at"]),
                weights={str(arm): float(weight) for arm, weight in body["weights"].items()},
                line=SlotLine.of_stretches(_stretches(body["slots"])),
                reason=str(body["reason"]),
                drained=frozenset(body["drained"]),
                in_file=body["in_file"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{self._path.name}, line {number}, is damaged: {error!r}.") from None


def _stretches(given: Sequence[Any]) -> list[tuple[str, int]]:
    return [(str(arm), int(count)) for arm, count in given]
