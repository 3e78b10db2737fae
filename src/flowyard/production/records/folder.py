"""Production records as JSON lines in a folder: a new file when one is full."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flowyard._util.files import append_all
from flowyard.abc import RecordSink
from flowyard.errors import UserError

__all__ = ["RecordFolder"]

_MOST_WAITING = 10_000
_FILE_BYTES = 64 * 1024 * 1024


class RecordFolder(RecordSink):
    """Writes in a thread of its own, to ``<UTC time>-<process>-<number>.jsonl``, flushed whenever it has caught up.

    A record that finds the disk full, or 10,000 others waiting, is counted as dropped; serving goes on. What a full
    disk took in part is taken away again, so that no line is torn but for the last one of a process that was killed.
    """

    def __init__(self, folder: Path, file_bytes: int = _FILE_BYTES) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"The folder for records, {folder}, cannot be made: {error.strerror}.") from None
        self._folder = folder
        self._file_bytes = file_bytes
        self._waiting: queue.SimpleQueue[tuple[Callable[[], str], int] | None] = queue.SimpleQueue()
        self._count_put = 0
        self._count_taken = 0
        self._dropped = 0
        self._files = 0
        self._path = folder
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="flowyard-records", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._dropped

    def put(self, text: Callable[[], str]) -> None:
        self._put(text, 1)

    def put_all(self, texts: Sequence[str]) -> None:
        if texts:
            self._put("\n".join(texts).__str__, len(texts))

    def _put(self, text: Callable[[], str], count: int) -> None:
        """One thread puts and one takes, so that there are never more than so many."""
        if self._count_put - self._count_taken + count <= _MOST_WAITING:
            self._count_put += count
            self._waiting.put((text, count))
        else:
            self._dropped += count

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            taken = self._waiting.get()
            if taken is None:
                return
            batch = [taken]
            while len(batch) < 1000 and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    is_open = False
                    break
                batch.append(following)
            self._write(batch)

    def _write(self, batch: list[tuple[Callable[[], str], int]]) -> None:
        count = sum(each for _, each in batch)
        self._count_taken += count
        try:
            lines = "".join(f"{text()}\n" for text, _ in batch)
            append_all(self._file(), lines.encode(), durable=False)
        except Exception as error:  # a value whose __str__ fails, a disk that is full: neither may end serving
            if not self._dropped:
                sys.stderr.write(f"Production records are dropped: {type(error).__name__}\n")
            self._dropped += count

    def _file(self) -> Path:
        if self._files and (current := self._path).exists() and current.stat().st_size < self._file_bytes:
            return current
        self._files += 1
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self._path = self._folder / f"{now}-{os.getpid()}-{self._files}.jsonl"
        return self._path
