"""Collecting: what is new in folders of records goes into the store, each record once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowyard.errors import OutsideError
from flowyard.production.records.files import PART_BYTES, BrokenLine, Part, file_head, iter_parts, record_files
from flowyard.production.records.model import ExchangeRecord, FeedbackRecord, Record
from flowyard.production.store.store import ProductionStore

__all__ = ["Collected", "collect", "follow"]

_MOST_NAMED = 20


@dataclass(slots=True)
class Collected:
    """What one look found. ``new`` counts the records that were not there before; the others count all that were read.

    ``others`` are lines of kinds that are not known here. Of ``broken`` lines the first 20 are ``named``.
    """

    files: int = 0
    bytes: int = 0
    new: int = 0
    exchanges: int = 0
    feedback: int = 0
    exposures: int = 0
    others: int = 0
    broken: int = 0
    named: list[BrokenLine] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many records were read."""
        return self.exchanges + self.feedback + self.exposures

    def count(self, part: Part, new: int) -> None:
        """Add what a part of a file had."""
        self.bytes += part.bytes
        self.new += new
        self.others += part.others
        self.broken += len(part.broken)
        self.named += part.broken[: _MOST_NAMED - len(self.named)]
        for record in part.records:
            self._count_kind(record)

    def _count_kind(self, record: Record) -> None:
        if isinstance(record, ExchangeRecord):
            self.exchanges += 1
        elif isinstance(record, FeedbackRecord):
            self.feedback += 1
        else:
            self.exposures += 1


def collect(
    store: ProductionStore,
    folders: Sequence[Path],
    on_part: Callable[[Collected], None] = lambda _: None,
    part_bytes: int = PART_BYTES,
) -> Collected:
    """Store what the files of the folders have beyond what was read of them before, about ``part_bytes`` at a time.

    It may be killed at any moment, and any number may do it at once. Raises UserError for what is no folder, and
    StoreError.
    """
    collected = Collected()
    for folder in folders:
        for path in record_files(folder):
            collected.files += 1
            _collect_file(store, path, collected, on_part, part_bytes)
    return collected


def follow(
    store: ProductionStore,
    folders: Sequence[Path],
    every_s: float,
    stop: threading.Event,
    on_look: Callable[[Collected], None],
) -> None:
    """Collect again and again until ``stop`` is set, which the look under way comes before."""
    while True:
        on_look(collect(store, folders))
        if stop.wait(every_s):
            return


def _collect_file(
    store: ProductionStore, path: Path, collected: Collected, on_part: Callable[[Collected], None], part_bytes: int
) -> None:
    try:
        with path.open("rb") as file:
            head = file_head(file)
            if head is None:
                return
            for part in iter_parts(path, file, store.mark(head), part_bytes):
                collected.count(part, store.add(part, str(path)))
                on_part(collected)
    except FileNotFoundError:
        return  # it was rotated meanwhile, and is found under its new name the next time
    except OSError as error:
        raise OutsideError(f"Cannot read {path}: {error.strerror}.") from error
