"""Attack A12 and what surrounds it: who has the database, or may only ask, gets nothing approved."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from approval_office import SUBJECT, Office

from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.seen_head import SeenHead
from flowyard.errors import NotApproved, StoreError, UserError


def forget_last(office: Office) -> None:
    """What anyone can do who can write the database, without the key."""
    connection = sqlite3.connect(office.folder / "flowyard.db")
    with connection:
        connection.execute(
            "DELETE FROM flowyard_approval_ledger WHERE seq = (SELECT max(seq) FROM flowyard_approval_ledger)"
        )
    connection.close()


def remembering(office: Office) -> ApprovalDesk:
    """A desk of an account that has seen the ledger before."""
    desk = office.another_desk()
    desk.ledger._seen = SeenHead(office.folder / "user" / "head")
    return desk


def test_a_no_that_is_deleted_is_missed_by_another_process(office: Office):
    desk = remembering(office)
    id_ = desk.request(SUBJECT, {}, ApprovalPolicy(), "rita").request.id
    desk.answer(id_, "ann", "approve")
    desk.answer(id_, "ann", "reject", "I misread")
    forget_last(office)
    for use in (
        lambda: remembering(office).require_live(SUBJECT),
        lambda: remembering(office).answer(id_, "bob", "approve"),
        remembering(office).ledger.read,
    ):
        with pytest.raises(StoreError, match="were removed") as caught:
            use()
    assert str(office.folder / "user" / "head") in str(caught.value.hint)
    (office.folder / "user" / "head").unlink()
    assert remembering(office).require_live(SUBJECT).is_live, "nobody else has seen it"


def test_a_head_that_cannot_be_kept_changes_nothing(office: Office):
    (office.folder / "user").write_text("not a folder")
    assert remembering(office).request(SUBJECT, {}, ApprovalPolicy(), "rita").request.id
    assert SeenHead(office.folder / "flowyard.db").get() != ()


@pytest.mark.parametrize(
    ("asked_under", "by", "problem"),
    [
        (ApprovalPolicy(), "eve", "0 of 1 approvals count"),
        (ApprovalPolicy(approvers=("eve", "ann")), "eve", "0 of 1 approvals count"),
        (ApprovalPolicy(), "rita", "0 of 1 approvals count"),
    ],
)
def test_whoever_asks_does_not_choose_the_rules(office: Office, asked_under: ApprovalPolicy, by: str, problem: str):
    demanded = ApprovalPolicy(approvers=("ann", "bob", "rita"), self_approval=False)
    asked = office.desk.request(SUBJECT, {}, asked_under, "rita")
    assert office.desk.answer(asked.request.id, by, "approve").is_live
    assert office.desk.require_live(SUBJECT).is_live
    with pytest.raises(NotApproved, match=problem):
        office.desk.require_live(SUBJECT, policy=demanded)


def test_who_fulfils_the_policy_is_let_through_whatever_it_was_asked_under(office: Office):
    asked = office.asked(timeout=timedelta(days=30))
    office.clock.move(minutes=10)
    office.desk.answer(asked.request.id, "ann", "approve")
    demanded = ApprovalPolicy(approvers=("ann",), self_approval=False)
    assert office.desk.require_live(SUBJECT, policy=demanded).is_live
    with pytest.raises(NotApproved, match="1 of 2 approvals count"):
        office.desk.require_live(SUBJECT, policy=replace(demanded, approvers=(), approvals=2))
    office.clock.move(minutes=55)
    with pytest.raises(NotApproved, match="it held until"):
        office.desk.require_live(SUBJECT, policy=demanded)
    assert office.desk.require_live(SUBJECT, policy=replace(demanded, valid_for=timedelta(hours=1))).is_live


def test_an_answer_after_the_time_that_the_policy_gives_does_not_count(office: Office):
    asked = office.asked(timeout=timedelta(days=30))
    office.clock.move(hours=2)
    office.desk.answer(asked.request.id, "ann", "approve")
    with pytest.raises(NotApproved, match="0 of 1 approvals count"):
        office.desk.require_live(SUBJECT, policy=ApprovalPolicy(valid_for=timedelta(days=1)))


def test_evidence_is_a_line_and_no_link(office: Office):
    id_ = office.asked().request.id
    for evidence in ({"link": "x"}, {"run": "\x1b[2J"}, {"run": "x" * 5000}):
        with pytest.raises(UserError):
            office.desk.answer(id_, "ann", "approve", via="github", evidence=evidence)


def test_one_person_in_two_spellings_is_no_two_approvers(office: Office):
    with pytest.raises(UserError, match="no more than 1"):
        office.asked(approvers=("ann", "Ann <ann@example.com>"), approvals=2)
