"""Fault F8: no deployment without a living approval for exactly that content, environment and target."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from approval_office import Office

from flowyard.approval.clock import SteadyClock
from flowyard.approval.model import Approval, ApprovalPolicy, ApprovalState, ApprovalSubject
from flowyard.errors import Conflict, NotApproved, NotFound, UserError


def refused(office: Office, id_: str, by: str, decision: str = "approve") -> str:
    before = office.desk.ledger.read().head
    with pytest.raises(Conflict) as caught:
        office.desk.answer(id_, by, decision)  # type: ignore[arg-type]
    kinds = [entry.kind for entry in office.desk.ledger.read().entries]
    assert before == office.desk.ledger.read().head or kinds[-1] == "timeout"
    return str(caught.value)


def test_one_yes_allows_exactly_what_was_asked(office: Office, subject: ApprovalSubject):
    asked = office.asked()
    with pytest.raises(NotApproved, match="0 of 1 approvals"):
        office.desk.require_live(subject)
    answered = office.desk.answer(asked.request.id, "ann", "approve", "good numbers")
    assert (answered.state, answered.answers[0].reason) == (ApprovalState.APPROVED, "good numbers")
    assert office.desk.require_live(subject).request.id == asked.request.id
    assert office.desk.require_live(subject, subject.digest).is_live
    for other in (
        replace(subject, digest="cd" * 32),
        replace(subject, environment="dev"),
        replace(subject, target="endpoint2"),
        replace(subject, version=4),
        replace(subject, name="other"),
    ):
        with pytest.raises(NotApproved) as caught:
            office.desk.require_live(other)
        assert caught.value.exit_code == 4


def test_a_digest_swapped_after_the_approval_is_not_approved(office: Office, subject: ApprovalSubject):
    office.desk.answer(office.asked().request.id, "ann", "approve")
    with pytest.raises(NotApproved, match="has changed"):
        office.desk.require_live(subject, "cd" * 32)


def test_nobody_in_time_is_a_no(office: Office, subject: ApprovalSubject):
    asked = office.asked()
    office.clock.move(minutes=59, seconds=59)
    assert office.desk.get(asked.request.id).state is ApprovalState.PENDING
    office.clock.move(seconds=1)
    assert office.desk.get(asked.request.id).state is ApprovalState.TIMED_OUT
    assert office.desk.ledger.read().entries[-1].kind == "timeout"
    assert "timed out" in refused(office, asked.request.id, "ann")
    assert "timed out" in refused(office, asked.request.id, "ann", "reject")
    with pytest.raises(NotApproved, match="had not come in time"):
        office.desk.require_live(subject)
    assert [entry.kind for entry in office.desk.ledger.read().entries] == ["request", "timeout"]


def test_too_late_is_written_down_by_the_answer_that_came_too_late(office: Office):
    asked = office.asked()
    office.clock.move(hours=2)
    assert "timed out" in refused(office, asked.request.id, "ann")
    assert [entry.kind for entry in office.desk.ledger.read().entries] == ["request", "timeout"]


@pytest.mark.parametrize(("valid_for", "minutes"), [(None, 60), (timedelta(hours=3), 10 + 180)])
def test_an_approval_ends(office: Office, subject: ApprovalSubject, valid_for: timedelta | None, minutes: int):
    asked = office.asked(valid_for=valid_for)
    office.clock.move(minutes=10)
    office.desk.answer(asked.request.id, "ann", "approve")
    office.clock.move(minutes=minutes - 10, seconds=-1)
    assert office.desk.require_live(subject).is_live
    assert office.desk.require_live(subject).is_live, "a deployment that failed half way is done again"
    office.clock.move(seconds=1)
    with pytest.raises(NotApproved, match="It held until"):
        office.desk.require_live(subject)
    ended = office.desk.get(asked.request.id)
    assert (ended.state, ended.is_live) == (ApprovalState.APPROVED, False)
    assert "approved already" in refused(office, asked.request.id, "ann", "reject")


def test_nobody_answers_twice(office: Office):
    asked = office.asked(approvals=2)
    assert office.desk.answer(asked.request.id, "Ann <ann@example.com>", "approve").state is ApprovalState.PENDING
    for again in ("Ann <ann@example.com>", "ann@example.com", "ANN", " ann ", "Anna <ANN@example.com>"):
        assert "has answered already" in refused(office, asked.request.id, again)
    assert office.desk.answer(asked.request.id, "bob", "approve").state is ApprovalState.APPROVED
    assert "approved already" in refused(office, asked.request.id, "cleo")


def test_any_no_rejects_and_a_yes_can_be_taken_back(office: Office, subject: ApprovalSubject):
    asked = office.asked(approvals=3)
    office.desk.answer(asked.request.id, "ann", "approve")
    assert office.desk.answer(asked.request.id, "bob", "reject", "slow").state is ApprovalState.REJECTED
    assert "rejected already" in refused(office, asked.request.id, "cleo")
    asked = office.asked()
    office.desk.answer(asked.request.id, "ann", "approve")
    assert office.desk.answer(asked.request.id, "ann", "reject", "I misread").state is ApprovalState.REJECTED
    with pytest.raises(NotApproved, match="I misread"):
        office.desk.require_live(subject)


def test_nobody_approves_their_own_request_where_that_is_forbidden(office: Office):
    asked = office.asked(by="Rita <rita@example.com>", self_approval=False)
    for name in ("Rita <rita@example.com>", "rita", "R. <RITA@example.com>"):
        assert "own request" in refused(office, asked.request.id, name)
    assert office.desk.answer(asked.request.id, "ann", "approve").state is ApprovalState.APPROVED
    asked = office.asked(by="rita", self_approval=False)
    assert office.desk.answer(asked.request.id, "rita", "reject", "withdrawn").state is ApprovalState.REJECTED
    assert office.desk.answer(office.asked(by="rita").request.id, "rita", "approve").state is ApprovalState.APPROVED


def test_only_approvers_say_yes(office: Office):
    asked = office.asked(approvers=("ann@example.com", "Bob"), approvals=2)
    assert "none of the approvers" in refused(office, asked.request.id, "eve")
    office.desk.answer(asked.request.id, "Ann <ann@example.com>", "approve")
    assert office.desk.answer(asked.request.id, "bob", "approve").state is ApprovalState.APPROVED


def test_a_newer_request_voids_a_pending_one_for_the_same_place(office: Office, subject: ApprovalSubject):
    first, elsewhere = office.asked(), office.asked(replace(subject, target="other"))
    another_use_case = office.asked(replace(subject, name="another"))
    second = office.asked(replace(subject, version=4, digest="cd" * 32))
    found = office.desk.get(first.request.id)
    assert (found.state, second.request.id in found.why) == (ApprovalState.VOID, True)
    for other in (elsewhere, another_use_case):
        assert office.desk.get(other.request.id).state is ApprovalState.PENDING
    assert "void already" in refused(office, first.request.id, "ann")


def test_an_approval_stands_until_a_newer_request_is_approved(office: Office, subject: ApprovalSubject):
    first = office.asked()
    office.desk.answer(first.request.id, "ann", "approve")
    newer = replace(subject, version=4, digest="cd" * 32)
    rejected = office.asked(newer)
    office.desk.answer(rejected.request.id, "ann", "reject")
    assert office.desk.require_live(subject).is_live
    approved = office.asked(newer)
    office.desk.answer(approved.request.id, "ann", "approve")
    assert office.desk.require_live(newer).is_live
    with pytest.raises(NotApproved, match="newer request"):
        office.desk.require_live(subject)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_jumps_approves_nothing(office: Office, subject: ApprovalSubject, days: int):
    asked = office.asked()
    office.clock.move(days=days)
    refused(office, asked.request.id, "ann")
    with pytest.raises(NotApproved):
        office.desk.require_live(subject)


def test_a_clock_that_is_put_back_prolongs_nothing(office: Office, subject: ApprovalSubject):
    asked, approved = office.asked(), office.asked(replace(subject, target="other"))
    office.clock.move(minutes=30)
    office.desk.answer(approved.request.id, "ann", "approve")
    office.clock.move(minutes=31)
    assert office.desk.get(asked.request.id).state is ApprovalState.TIMED_OUT
    office.clock.move(hours=-1)
    assert office.desk.get(asked.request.id).state is ApprovalState.TIMED_OUT
    with pytest.raises(NotApproved):
        office.desk.require_live(approved.request.subject)
    again = office.asked()
    assert office.desk.answer(again.request.id, "ann", "approve").is_live, "what is asked now goes by the clock now"


def test_a_small_difference_of_clocks_is_none(office: Office, subject: ApprovalSubject):
    asked = office.asked()
    office.clock.move(seconds=-20)
    assert office.desk.answer(asked.request.id, "ann", "approve").is_live
    assert office.desk.require_live(subject).is_live


def test_the_steady_clock_goes_on_when_the_wall_clock_is_put_back():
    wall, elapsed = [datetime(2024, 5, 1, tzinfo=UTC)], [100.0]
    clock = SteadyClock(lambda: wall[0], lambda: elapsed[0])
    start = clock()
    elapsed[0] += 60
    wall[0] -= timedelta(days=1)
    assert clock() == start + timedelta(seconds=60)
    elapsed[0] += 60
    assert clock() == start + timedelta(seconds=120)
    wall[0] += timedelta(days=3)
    assert clock() == wall[0]


class MovingPauses(threading.Event):
    """Lets the clock go on instead of waiting; ``then`` is done after the first pause."""

    def __init__(self, office: Office, then: object = None) -> None:
        super().__init__()
        self.office, self.then, self.pauses = office, then, 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses += 1
        self.office.clock.move(seconds=timeout)
        if self.pauses == 1 and callable(self.then):
            self.then()
        return self.is_set()


def test_waiting_ends_with_an_answer(office: Office):
    asked = office.asked()
    looks: list[timedelta] = []
    pauses = MovingPauses(office, lambda: office.another_desk().answer(asked.request.id, "ann", "approve"))
    found = office.desk.wait(asked.request.id, 2.0, pauses, lambda _, left: looks.append(left))
    assert found.state is ApprovalState.APPROVED
    assert looks == [timedelta(minutes=60)]


def test_waiting_ends_at_the_deadline_also_when_it_is_started_again(office: Office):
    asked = office.asked(timeout=timedelta(minutes=5))
    pauses = MovingPauses(office)
    pauses.then = pauses.set
    assert office.desk.wait(asked.request.id, 60.0, pauses).state is ApprovalState.PENDING
    found = office.another_desk().wait(asked.request.id, 60.0, MovingPauses(office))
    assert found.state is ApprovalState.TIMED_OUT
    assert office.clock() == datetime.fromisoformat(asked.request.requested_at) + timedelta(minutes=5)


def test_who_is_told_of_decisions(office: Office):
    told: list[Approval] = []
    desk = replace(office.desk, on_decision=told.append)
    asked = office.asked(approvals=2)
    desk.answer(asked.request.id, "ann", "approve")
    assert told == []
    decided = desk.answer(asked.request.id, "bob", "approve")
    assert told == [decided]
    assert decided.head == desk.ledger.read().head


def test_what_cannot_be_asked_or_answered(office: Office, subject: ApprovalSubject):
    for policy in (
        ApprovalPolicy(timeout=timedelta(0)),
        ApprovalPolicy(approvals=0),
        ApprovalPolicy(approvals=2, approvers=("ann",)),
        ApprovalPolicy(valid_for=timedelta(0)),
    ):
        with pytest.raises(UserError):
            office.desk.request(subject, {}, policy, "rita")
    for name in ("", "  ", "two\nlines", "\x1b[2J", "x" * 300):
        with pytest.raises(UserError):
            office.desk.request(subject, {}, ApprovalPolicy(), name)
        with pytest.raises(UserError):
            office.desk.request(replace(subject, target=name), {}, ApprovalPolicy(), "rita")
    with pytest.raises(UserError, match="1 MB"):
        office.desk.request(subject, {"metrics": "x" * (1 << 20)}, ApprovalPolicy(), "rita")
    asked = office.asked()
    with pytest.raises(UserError, match="reason"):
        office.desk.answer(asked.request.id, "ann", "approve", "x" * 5000)
    with pytest.raises(NotFound, match="no request 'nothing'"):
        office.desk.answer("nothing", "ann", "approve")
    with pytest.raises(NotFound):
        office.desk.get("nothing")


def test_hard_values_in_a_report_are_kept(office: Office, subject: ApprovalSubject):
    report = {"metrics": {"a": float("nan"), "b\0": "\ud800 <b>|\x1b[31m"}, "gates": [{"gate": "ä\N{PILE OF POO}"}]}
    asked = office.desk.request(subject, report, ApprovalPolicy(), "rita")
    kept = office.another_desk().get(asked.request.id).request
    assert kept == asked.request
    assert kept.report == {**report, "metrics": {**report["metrics"], "a": None}}  # type: ignore[dict-item]
