"""The newest entry of a ledger that was seen from here, so that entries which were taken away since are missed."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard.approval.chain import BEGINNING

__all__ = ["SeenHead"]

_HASH = re.compile(r"[0-9a-f]{64}")


class SeenHead:
    """Kept in memory, and in a file beside the key where there is one: whoever can write the database cannot write it.

    A file that cannot be read or written is as if there was none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._own = BEGINNING

    @classmethod
    def beside_key(cls, folder: Path, label: str) -> SeenHead:
        """For the ledger of that label."""
        return cls(folder / "heads" / hashlib.sha256(label.encode()).hexdigest()[:16])

    def get(self) -> tuple[str, ...]:
        """The heads that have to be in the ledger from now on."""
        if self.file is None:
            return (self._own,)
        try:
            kept = self.file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return (self._own,)
        return (self._own, kept) if _HASH.fullmatch(kept) else (self._own,)

    def keep(self, head: str) -> None:
        """Remember the newest head."""
        is_news, self._own = head not in self.get()[1:], head
        if self.file is None or not is_news or head == BEGINNING:
            return
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self.file, f"{head}\n", mode=0o600)
