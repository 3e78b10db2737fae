"""The ledger shows every change by others: attack A12. Many writers make one chain."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from approval_office import Office, patient
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.secret_key import SecretKey
from flowyard.approval.chain import BEGINNING, Chain, Entry, Note, Seals, check_chain, next_entry
from flowyard.approval.model import ApprovalState, ApprovalSubject
from flowyard.errors import NotApproved, StoreError

Attack = Callable[[sqlite3.Connection], None]


def attacked(office: Office, attack: Attack) -> None:
    with closing(sqlite3.connect(office.folder / "flowyard.db", isolation_level=None)) as connection:
        attack(connection)


def run_sql(*statements: str) -> Attack:
    def attack(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return attack


TABLE = "flowyard_approval_ledger"
SWAP = run_sql(
    f"UPDATE {TABLE} SET seq = -1 WHERE seq = 3",
    f"UPDATE {TABLE} SET seq = 3 WHERE seq = 4",
    f"UPDATE {TABLE} SET seq = 4 WHERE seq = -1",
)
COPY = f"INSERT INTO {TABLE} SELECT 6, at, kind, body, previous, hash, sealed_by, seal FROM {TABLE} WHERE seq = 2"


@pytest.mark.parametrize(
    ("attack", "first", "word"),
    [
        (run_sql(f"UPDATE {TABLE} SET body = replace(body, 'reject', 'approve') WHERE seq = 4"), 4, "edited"),
        (run_sql(f"UPDATE {TABLE} SET at = '2030-01-01T00:00:00+00:00' WHERE seq = 2"), 2, "edited"),
        (run_sql(f"UPDATE {TABLE} SET kind = 'answer' WHERE seq = 5"), 5, "edited"),
        (run_sql(f"UPDATE {TABLE} SET body = x'00ff' WHERE seq = 3"), 3, "edited"),
        (run_sql(f"UPDATE {TABLE} SET seal = '{'0' * 64}' WHERE seq = 3"), 3, "seal"),
        (run_sql(f"DELETE FROM {TABLE} WHERE seq = 1"), 1, "removed"),
        (run_sql(f"DELETE FROM {TABLE} WHERE seq = 3"), 3, "removed"),
        (SWAP, 3, "edited"),
        (run_sql(COPY), 6, "edited"),
    ],
)
def test_the_first_changed_entry_is_named(
    office: Office, subject: ApprovalSubject, attack: Attack, first: int, word: str
):
    approved = office.asked(approvals=1)
    office.desk.answer(approved.request.id, "ann", "approve", "good")
    pending = office.asked(ApprovalSubject("triage", 4, "cd" * 32, "dev", "endpoint"))
    office.desk.answer(pending.request.id, "bob", "reject", "bad")
    office.asked(ApprovalSubject("triage", 5, "ef" * 32, "test", "endpoint"))
    assert office.desk.require_live(subject).is_live
    attacked(office, attack)
    desk = office.another_desk()
    chain = desk.ledger.read()
    assert chain.broken_at == first
    assert f"Entry {first}:" in str(chain.problem)
    assert word in str(chain.problem)
    with pytest.raises(NotApproved, match="changed by others"):
        desk.require_live(subject)
    assert ApprovalState.APPROVED not in {each.state for each in desk.list()}
    with pytest.raises(StoreError, match=f"Entry {first}"):
        desk.request(subject, {}, approved.request.policy, "rita")
    assert len(desk.ledger.read().entries) == len(chain.entries)


def forged(office: Office, change: Callable[[list[Entry]], list[Entry]], seals: Seals) -> None:
    """Write the ledger anew as somebody can who has the code and the database, but another key."""
    entries = change(list(office.desk.ledger.read().entries))
    written: list[Entry] = []
    for entry in entries:
        written.append(
            entry
            if not written and entry.previous == BEGINNING
            else next_entry(written[-1], Note(entry.kind, entry.body, entry.at), seals)
        )
    rows = [tuple(getattr(entry, name) for name in Entry.__slots__) for entry in written]
    with closing(sqlite3.connect(office.folder / "flowyard.db")) as connection, connection:
        connection.execute(f"DELETE FROM {TABLE}")
        connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


class OurName(Seals):
    """Seals of another key under the name of ours."""

    def __init__(self, key: SecretKey, name: str) -> None:
        super().__init__(key)
        self._name = name

    @property
    def key_id(self) -> str:
        return self._name


@pytest.mark.parametrize("under_our_name", [False, True])
def test_an_approval_cannot_be_forged_without_the_key(
    office: Office, subject: ApprovalSubject, tmp_path: Path, under_our_name: bool
):
    asked = office.asked()
    other = SecretKey(tmp_path / "theirs", {})
    other.make()
    ours = office.desk.ledger.read().entries[0].sealed_by
    seals = OurName(other, ours) if under_our_name else Seals(other)
    body = {"request": asked.request.id, "by": "ann", "decision": "approve", "reason": "", "via": "cli", "evidence": {}}
    at = asked.request.requested_at

    def with_yes(entries: list[Entry]) -> list[Entry]:
        return [*entries, next_entry(entries[-1], Note("answer", body, at), seals)]

    forged(office, with_yes, seals)
    desk = office.another_desk()
    with pytest.raises(NotApproved):
        desk.require_live(subject)
    chain = desk.ledger.read()
    if under_our_name:
        assert chain.broken_at == 2
        assert "seal" in str(chain.problem)
    else:
        assert chain.problem is None
        assert chain.unverified == {2}
        assert "cannot be verified" in desk.get(asked.request.id).why
        desk.answer(asked.request.id, "bob", "approve", "a real one")
        assert [each.by for each in desk.require_live(subject).answers] == ["bob"]


def test_a_removed_end_is_found_with_a_head_that_was_kept(office: Office):
    asked = office.asked(valid_for=None)
    approved = office.desk.answer(asked.request.id, "ann", "approve")
    rejected = office.desk.answer(asked.request.id, "ann", "reject", "I was wrong")
    attacked(office, run_sql(f"DELETE FROM {TABLE} WHERE seq = 3"))
    chain = office.another_desk().ledger.read()
    assert chain.problem is None
    assert chain.has(approved.head)
    assert not chain.has(rejected.head)
    with pytest.raises(StoreError, match="were removed"):
        office.desk.get(asked.request.id)


def test_another_key_verifies_nothing_and_approves_nothing(office: Office, subject: ApprovalSubject, tmp_path: Path):
    asked = office.asked()
    office.desk.answer(asked.request.id, "ann", "approve")
    for key in (tmp_path / "missing", tmp_path / "other"):
        there = office.desk_with_key(key)
        assert there.get(asked.request.id).state is ApprovalState.VOID
        with pytest.raises(NotApproved, match="sealed with a key that is not here"):
            there.require_live(subject)
        assert there.ledger.read().problem is None
        assert there.ledger.read().unverified == {1, 2}
        SecretKey(tmp_path / "other", {}).make()
    assert office.desk.require_live(subject).is_live
    assert not (tmp_path / "missing").exists()


def test_a_no_counts_also_from_a_machine_with_another_key(office: Office, tmp_path: Path):
    asked = office.asked(approvals=2)
    there = office.desk_with_key(tmp_path / "other")
    newer = there.request(asked.request.subject, {}, asked.request.policy, "tom")
    assert newer.state is ApprovalState.PENDING
    assert office.desk.get(asked.request.id).state is ApprovalState.VOID
    assert office.desk.get(newer.request.id).state is ApprovalState.VOID
    assert there.get(newer.request.id).state is ApprovalState.PENDING


def test_many_writers_make_one_chain(any_office: Office):
    asked = any_office.asked(approvals=16)
    errors: list[BaseException] = []

    def answer(number: int) -> None:
        try:
            any_office.another_desk().answer(asked.request.id, f"person {number}", "approve")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    chain = any_office.desk.ledger.read()
    assert [entry.seq for entry in chain.entries] == list(range(1, 18))
    assert chain.problem is None
    assert any_office.desk.get(asked.request.id).state is ApprovalState.APPROVED


def test_reading_makes_nothing(tmp_path: Path):
    office = Office(tmp_path / "home")
    assert list(office.desk.list()) == []
    assert office.desk.ledger.read() == Chain(())
    assert not (tmp_path / "home").exists()


def test_only_the_owner_can_read_the_key(office: Office):
    office.asked()
    assert office.key.stat().st_mode & 0o777 == 0o600
    text = office.key.read_text().strip()
    assert text not in (office.folder / "flowyard.db").read_bytes().decode("latin-1")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NOTES = st.builds(
    Note,
    st.sampled_from(["request", "answer"]),
    st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
    st.just("now"),
)


@patient
@given(st.lists(NOTES, min_size=1, max_size=6), st.data())
def test_any_change_of_any_field_is_found(notes: list[Note], data: st.DataObject):
    seals = Seals(SecretKey(Path("unused"), {"FLOWYARD_APPROVAL_KEY": "A" * 43 + "="}))
    entries: list[Entry] = []
    for note in notes:
        entries.append(next_entry(entries[-1] if entries else None, note, seals))
    assert check_chain(entries, seals) == Chain(tuple(entries))
    number = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(["at", "kind", "text", "previous", "hash", "sealed_by", "seal"]))
    old = entries[number]
    fields = {name: getattr(old, name) for name in Entry.__slots__}
    changed = Entry(**{**fields, field: fields[field] + data.draw(st.text(min_size=1, max_size=3))})
    found = check_chain([*entries[:number], changed, *entries[number + 1 :]], seals)
    assert found.broken_at == number + 1
