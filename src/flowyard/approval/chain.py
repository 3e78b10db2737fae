"""Entries of a ledger, each bound to the one before it by a hash and sealed with a key that the ledger does not have.

Whoever can write the database but does not have the key can make hashes that fit, but no seals.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.secret_key import SecretKey

__all__ = [
    "BEGINNING",
    "Chain",
    "Entry",
    "Note",
    "Seals",
    "canonical_json",
    "check_chain",
    "next_entry",
    "value_digest",
]

BEGINNING = "0" * 64
"""What stands for the hash before the first entry."""

_HEAD = b"flowyard approval ledger 1\n"
_PURPOSE = b"flowyard approval ledger\n"


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written down: its ``kind``, what it says, and when that was (ISO 8601 in UTC)."""

    kind: str
    body: Mapping[str, Any]
    at: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A note in its place. ``text`` is its body as JSON; ``sealed_by`` names the key of the ``seal``."""

    seq: int
    at: str
    kind: str
    text: str
    previous: str
    hash: str
    sealed_by: str
    seal: str

    @property
    def body(self) -> Any:
        """Raises ValueError for what is no JSON."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Chain:
    """All entries in order, and what was found out about them.

    ``broken_at`` is the number of the first entry that is not what was written there, ``problem`` says why; None when
    there is none. ``unverified`` are the numbers of entries that were sealed with a key that is not here, so that
    nobody knows whether they were written by flowyard.
    """

    entries: tuple[Entry, ...]
    unverified: frozenset[int] = frozenset()
    broken_at: int | None = None
    problem: str | None = None

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash if self.entries else BEGINNING

    def has(self, head: str) -> bool:
        """Whether this was the newest entry's hash once, so that nothing up to there was taken away since."""
        return head == BEGINNING or any(entry.hash == head for entry in self.entries)


class Seals:
    """Seals entries with a key and knows its own seals again. Without a key nothing can be verified."""

    def __init__(self, key: SecretKey) -> None:
        self._key = key

    @property
    def source(self) -> str:
        """Where the key comes from, for people."""
        return self._key.source

    def make(self) -> None:
        """Make a key unless there is one. Raises OutsideError."""
        self._key.make()

    @property
    def key_id(self) -> str | None:
        """A short name of the key, which says nothing about it; None without a key. Raises UserError for a bad one."""
        if not self._key.exists:
            return None
        return hashlib.sha256(_PURPOSE + self._key.derived(_PURPOSE)).hexdigest()[:16]

    def seal(self, hashed: str) -> str:
        """The seal of an entry's hash. Raises UserError without a key."""
        return hmac.new(self._key.derived(_PURPOSE), hashed.encode(), "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """The one text of a value: ASCII, sorted, without blanks. Raises ValueError for NaN and what JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def value_digest(value: Any) -> str:
    """The SHA-256, in hex, of a value that JSON can hold. Raises ValueError as ``canonical_json`` does."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def next_entry(last: Entry | None, note: Note, seals: Seals) -> Entry:
    """The entry that a note becomes behind the last one. Raises UserError without a key, ValueError for no JSON."""
    seq, previous = (last.seq + 1, last.hash) if last else (1, BEGINNING)
    key_id = seals.key_id or ""
    text = canonical_json(note.body)
    hashed = _hash(seq, note.at, note.kind, text, previous, key_id)
    return Entry(seq, note.at, note.kind, text, previous, hashed, key_id, seals.seal(hashed))


def check_chain(entries: Sequence[Entry], seals: Seals) -> Chain:
    """What is wrong with entries, which are in the order of their numbers, and which ones cannot be verified here."""
    key_id, unverified = seals.key_id, set()
    previous = BEGINNING
    for expected, entry in enumerate(entries, 1):
        problem = _problem(entry, expected, previous)
        if problem is None and entry.sealed_by != key_id:
            unverified.add(entry.seq)
        elif problem is None and not hmac.compare_digest(entry.seal.encode(), seals.seal(entry.hash).encode()):
            problem = "its seal is not ours: it was edited or inserted, or one before it was removed"
        if problem:
            doubtful = frozenset(each.seq for each in entries if each.seq >= expected)
            return Chain(tuple(entries), frozenset(unverified) | doubtful, expected, f"Entry {expected}: {problem}.")
        previous = entry.hash
    return Chain(tuple(entries), frozenset(unverified))


def _problem(entry: Entry, expected: int, previous: str) -> str | None:
    if entry.seq != expected:
        return f"it was removed; entry {entry.seq} stands in its place"
    if entry.hash != _hash(entry.seq, entry.at, entry.kind, entry.text, entry.previous, entry.sealed_by):
        return "it was edited: its hash does not fit what it says"
    if entry.previous != previous:
        return "it does not follow the entry before it: entries were reordered, removed or inserted"
    return None


def _hash(seq: int, *fields: str) -> str:
    """Over each field its length, as 8 bytes, and its bytes, so that no two different entries read the same."""
    whole = hashlib.sha256(_HEAD)
    for field in (str(seq), *fields):
        data = field.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
