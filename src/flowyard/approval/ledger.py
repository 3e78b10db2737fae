"""The ledger: every request, answer and timeout, one after the other, in the database of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowyard.approval.chain import Chain, Entry, Note, Seals, check_chain, next_entry
from flowyard.approval.seen_head import SeenHead
from flowyard.errors import StoreError
from flowyard.store.database import Database, Session
from flowyard.store.tables import Tables

__all__ = ["Ledger"]

_SELECT = "SELECT seq, at, kind, body, previous, hash, sealed_by, seal FROM flowyard_approval_ledger ORDER BY seq"
_INSERT = (
    "INSERT INTO flowyard_approval_ledger (seq, at, kind, body, previous, hash, sealed_by, seal) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING"
)


class Ledger:
    """Entries are only ever added, by any number of processes; together they make one chain.

    Every method raises StoreError when the database cannot be read or written, UserError for a malformed key.
    """

    def __init__(self, database: Database, seals: Seals, seen: SeenHead | None = None) -> None:
        self._tables = Tables(database)
        self._seals = seals
        self._seen = seen or SeenHead()

    @property
    def label(self) -> str:
        """Where it is, without secrets."""
        return self._tables.database.label

    @property
    def key_source(self) -> str:
        """Where the key of the seals comes from, for people."""
        return self._seals.source

    def read(self) -> Chain:
        """All entries, checked. Changes nothing in the database, but for tables of an older version."""
        seen = self._seen.get()  # before reading: what another thread adds meanwhile need not be there
        chain = self._checked(self._tables.read(_entries, []), seen)
        self._seen.keep(chain.head)
        return chain

    def look(self) -> Chain:
        """All entries, checked but for what was taken away since; nothing is remembered."""
        return check_chain(self._tables.read(_entries, []), self._seals)

    def missing(self, chain: Chain) -> str | None:
        """That entries are missing at the end of a chain which were seen from here before, in a sentence."""
        if all(map(chain.has, self._seen.get())):
            return None
        return f"Entries that were at the end of the approval ledger in {self.label} were removed."

    def append(self, decide: Callable[[Chain], Sequence[Note]]) -> Chain:
        """Write down what ``decide`` makes of all that is there; returns the whole. It is on disk when this returns.

        ``decide`` runs while nobody else can write, may run again, and may raise; then nothing is written. Raises
        StoreError when the ledger was changed by others than flowyard.
        """
        self._seals.make()
        seen = self._seen.get()

        def appending(session: Session) -> Chain:
            while True:
                chain = self._checked(_entries(session), seen)
                notes = decide(chain)
                if notes:
                    self._require_whole(chain)
                if all(self._insert(session, chain := self._longer(chain, note)) for note in notes):
                    return chain

        chain = self._tables.write(appending)
        self._seen.keep(chain.head)
        return chain

    def _longer(self, chain: Chain, note: Note) -> Chain:
        entry = next_entry(chain.entries[-1] if chain.entries else None, note, self._seals)
        return Chain((*chain.entries, entry), chain.unverified)

    @staticmethod
    def _insert(session: Session, chain: Chain) -> bool:
        """Add the last entry; False when another process has just taken its number."""
        last = chain.entries[-1]
        values = (last.seq, last.at, last.kind, last.text, last.previous, last.hash, last.sealed_by, last.seal)
        return session.execute(_INSERT, values).rowcount == 1

    def _checked(self, entries: Sequence[Entry], seen: Sequence[str]) -> Chain:
        chain = check_chain(entries, self._seals)
        if not all(map(chain.has, seen)):
            anew = f"; if it was made anew on purpose, delete {self._seen.file}" if self._seen.file else ""
            raise StoreError(
                f"Entries that were at the end of the approval ledger in {self.label} were removed.",
                hint=f"Restore the database from a backup that has them{anew}.",
            )
        return chain

    def _require_whole(self, chain: Chain) -> None:
        if chain.problem:
            raise StoreError(
                f"The approval ledger in {self.label} was changed by others than flowyard. {chain.problem}",
                hint="Nothing is approved until it is restored from a backup: flowyard approval verify",
            )


def _entries(session: Session) -> list[Entry]:
    rows = session.execute(_SELECT).fetchall()
    return [Entry(int(seq), *(value if isinstance(value, str) else "" for value in rest)) for seq, *rest in rows]
