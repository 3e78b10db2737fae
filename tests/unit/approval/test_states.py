"""Any order of requests, answers, jumps of the clock and restarts: what is live was really approved, in time."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from approval_office import Office, patient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowyard.approval.chain import Chain
from flowyard.approval.model import ApprovalPolicy, ApprovalState, ApprovalSubject
from flowyard.approval.states import approvals_at
from flowyard.errors import Conflict, NotApproved

PEOPLE = ("ann", "bob", "cleo")
TARGETS = ("one", "two")


@dataclass
class Asked:
    """What a test knows of a request by itself."""

    subject: ApprovalSubject
    policy: ApprovalPolicy
    by: str
    until: datetime
    yes: dict[str, datetime] = field(default_factory=dict)
    no: bool = False
    is_replaced: bool = False

    def is_live(self, now: datetime) -> bool:
        return len(self.yes) >= self.policy.approvals and not self.no and not self.is_replaced and now < self.until


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.office = Office(Path(self.folder.name))
        self.asked: dict[str, Asked] = {}
        self.latest = self.office.clock()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(
        place=st.sampled_from(TARGETS),
        version=st.integers(1, 3),
        by=st.sampled_from(PEOPLE),
        approvals=st.integers(1, 2),
        self_approval=st.booleans(),
        approvers=st.sampled_from([(), ("ann", "bob")]),
    )
    def request(
        self, place: str, version: int, by: str, approvals: int, self_approval: bool, approvers: tuple[str, ...]
    ) -> None:
        subject = ApprovalSubject("triage", version, f"{version:064x}", "prod", place)
        policy = ApprovalPolicy(approvals=approvals, self_approval=self_approval, approvers=approvers)
        made = self.office.desk.request(subject, {}, policy, by)
        for other in self.asked.values():
            if other.subject.target == place and len(other.yes) < other.policy.approvals:
                other.is_replaced = True
        self.asked[made.request.id] = Asked(subject, policy, by, self.office.clock() + policy.timeout)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE), approves=st.booleans())
    def answer(self, data: st.DataObject, by: str, approves: bool) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.asked)))
        asked = self.asked[id_]
        try:
            self.office.desk.answer(id_, by, "approve" if approves else "reject")
        except Conflict:
            return
        if not approves:
            asked.no = True
            return
        assert by not in asked.yes
        assert by != asked.by or asked.policy.self_approval
        assert by in asked.policy.approvers or not asked.policy.approvers
        asked.yes[by] = self.office.clock()
        if len(asked.yes) == asked.policy.approvals:
            for other in self.asked.values():
                if other is not asked and other.subject.target == asked.subject.target:
                    other.is_replaced = True

    @rule(minutes=st.sampled_from([1, 20, 45, 61, 24 * 60, -24 * 60, -10]))
    def time_passes(self, minutes: int) -> None:
        self.office.clock.move(minutes=minutes)

    @rule()
    def restart(self) -> None:
        self.office.desk = self.office.another_desk()

    @invariant()
    def what_is_live_was_approved(self) -> None:
        for id_, approval in {each.request.id: each for each in self.office.desk.list()}.items():
            if approval.is_live:
                assert self.asked[id_].is_live(self.office.clock())
        for target in TARGETS:
            live = [each for each in self.office.desk.list() if each.is_live and each.request.subject.target == target]
            assert len(live) <= 1

    @invariant()
    def only_live_ones_may_be_deployed(self) -> None:
        for asked in self.asked.values():
            try:
                found = self.office.desk.require_live(asked.subject)
            except NotApproved:
                continue
            assert self.asked[found.request.id].is_live(self.office.clock())

    @invariant()
    def the_chain_is_whole_and_a_no_is_for_ever(self) -> None:
        chain = self.office.desk.ledger.read()
        assert chain.problem is None
        ended: set[str] = set()
        for count in range(len(chain.entries) + 1):
            states = approvals_at(Chain(chain.entries[:count]), datetime.min.replace(tzinfo=self.latest.tzinfo))
            no = {
                id_ for id_, each in states.items() if each.state not in (ApprovalState.PENDING, ApprovalState.APPROVED)
            }
            assert ended <= no
            ended = no

    @invariant()
    def time_alone_approves_nothing(self) -> None:
        chain = self.office.desk.ledger.read()
        live = {id_ for id_, each in approvals_at(chain, self.office.clock()).items() if each.is_live}
        for later in (timedelta(minutes=30), timedelta(days=1)):
            now = self.office.clock() + later
            assert {id_ for id_, each in approvals_at(chain, now).items() if each.is_live} <= live


TestDesk = Desk.TestCase
TestDesk.settings = settings(patient, max_examples=25, stateful_step_count=15)
