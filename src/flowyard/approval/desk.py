"""The desk: where approvals are asked for, answered, waited for, and required by what deploys."""

from __future__ import annotations

import json
import secrets
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.suggest import did_you_mean
from flowyard.approval.chain import Chain, Note, value_digest
from flowyard.approval.clock import Clock, SteadyClock
from flowyard.approval.ledger import Ledger
from flowyard.approval.model import (
    Answer,
    Approval,
    ApprovalPolicy,
    ApprovalRequest,
    ApprovalState,
    ApprovalSubject,
    Decision,
    Via,
)
from flowyard.approval.names import count_people, require_name, same_person
from flowyard.approval.notes import answer_note, parse_time, request_note, time_text, timeout_note
from flowyard.approval.states import BROKEN, approvals_at, latest_time, noted_timeouts, refusal, shortfall
from flowyard.errors import Conflict, NotApproved, NotFound, OutsideError, UserError

__all__ = ["ApprovalDesk"]

_MOST_BEHIND = timedelta(minutes=5)
"""How far this machine's clock may be behind the ledger; clocks of machines differ by seconds."""
_LONGEST_REASON = 4000
_LARGEST_REPORT = 1 << 20
_SEE = "See: flowyard approval list"


def _nobody(approval: Approval) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class ApprovalDesk:
    """Everything that is known is in the ledger, so that many desks, in any process, are one.

    Every method raises StoreError when the ledger cannot be read, UserError when its key is malformed. Requests whose
    time is over are written down as timed out by whichever method sees them first.
    """

    ledger: Ledger
    clock: Clock
    on_decision: Callable[[Approval], None] = _nobody
    """Is told of every answer that decides a request, once it is in the ledger."""

    @classmethod
    def over(cls, ledger: Ledger, on_decision: Callable[[Approval], None] = _nobody) -> ApprovalDesk:
        """A desk by the machine's clock."""
        return cls(ledger, SteadyClock(), on_decision)

    def request(self, subject: ApprovalSubject, report: Mapping[str, Any], policy: ApprovalPolicy, by: str) -> Approval:
        """Ask; one that is pending for the same target and environment is void from then on.

        Raises UserError for what cannot be asked, such as a policy that nobody could meet.
        """
        _require_policy(policy)
        _require_subject(subject)
        by, now, plain = require_name(by), self.clock(), _plain_report(report)
        id_, until = secrets.token_hex(6), time_text(now + policy.timeout)
        asked = ApprovalRequest(id_, subject, plain, value_digest(plain), by, time_text(now), until, policy)
        chain = self.ledger.append(lambda chain: [*self._timeouts(chain), request_note(asked)])
        return self._found(chain, id_)

    def answer(
        self,
        id_: str,
        by: str,
        decision: Decision,
        reason: str = "",
        *,
        via: Via = "cli",
        evidence: Mapping[str, str] | None = None,
    ) -> Approval:
        """Write down what a person said; returns what the request has come to. ``head`` is what can be kept elsewhere.

        Everyone answers once, but whoever takes part may say no as long as it is pending or holds, which ends it.
        Raises NotFound, and Conflict when the answer would not count: then nothing is written.
        """
        _require_evidence(evidence or {}, via)
        said = Answer(require_name(by), decision, _plain_reason(reason), time_text(self.clock()), via, evidence or {})
        refused: list[str] = []

        def decide(chain: Chain) -> Sequence[Note]:
            refused[:] = filter(None, [self._refusal(chain, id_, said)])
            return [*self._timeouts(chain), *([] if refused else [answer_note(id_, said)])]

        chain = self.ledger.append(decide)
        if refused:
            self._tell_again(chain, id_, said)
            raise Conflict(f"The answer to {id_} does not count. {refused[0]}", hint=f"flowyard approval show {id_}")
        answered = self._found(chain, id_)
        if answered.state is not ApprovalState.PENDING:
            self.on_decision(answered)
        return answered

    def _tell_again(self, chain: Chain, id_: str, said: Answer) -> None:
        """Tell of a decision by this very answer, for whoever gave it may have been killed before that was told."""
        found = self._found(chain, id_)
        given = any(same_person(said.by, each.by) and each.decision == said.decision for each in found.answers)
        if given and found.state in (ApprovalState.APPROVED, ApprovalState.REJECTED):
            self.on_decision(found)

    def note_notices(self, id_: str, notices: Sequence[Mapping[str, str | None]]) -> None:
        """Write down who was told of a request, and what went wrong; it changes nothing about the request."""
        note = Note("notices", {"request": id_, "notices": [dict(each) for each in notices]}, time_text(self.clock()))
        self.ledger.append(lambda _: [note])

    def get(self, id_: str) -> Approval:
        """The request of that id. Raises NotFound."""
        return self._found(self._current(), id_)

    def list(self) -> Sequence[Approval]:
        """All requests, newest first."""
        return list(approvals_at(self._current(), self.clock()).values())[::-1]

    def wait(
        self,
        id_: str,
        poll_s: float = 2.0,
        cancel: threading.Event | None = None,
        on_look: Callable[[Approval, timedelta], None] | None = None,
    ) -> Approval:
        """Wait until the request is no longer pending, which its deadline ends; returns it.

        The deadline stands in the ledger: whoever waits again goes on with the same one. When ``cancel`` is set, the
        request is returned as it is, pending. ``on_look`` is told of each look, and how much time is left.
        """
        cancel = cancel or threading.Event()
        while True:
            found = self.get(id_)
            if found.state is not ApprovalState.PENDING:
                return found
            left = parse_time(found.request.expires_at) - self.clock()
            if on_look:
                on_look(found, left)
            if cancel.wait(min(poll_s, max(left.total_seconds(), 0.05))):
                return found

    def require_live(
        self, subject: ApprovalSubject, current_digest: str | None = None, policy: ApprovalPolicy | None = None
    ) -> Approval:
        """The approval that allows to deploy exactly this, now; ``current_digest`` is what would be deployed, as read.

        With ``policy``, the answers have to fulfil that one, too: whoever asks chooses what a request is asked under.

        It may be used more than once: what it allows is a content at a target, and a deployment that failed half way is
        done again. Raises NotApproved when there is none, or this machine's clock cannot be right.
        """
        chain = self._current()
        if chain.problem:
            raise NotApproved(f"{BROKEN} {chain.problem}", hint="flowyard approval verify")
        digest = subject.digest if current_digest is None else current_digest
        if digest != subject.digest:
            raise NotApproved(
                f"{subject.label} has changed: its digest is {digest[:12]}, not {subject.digest[:12]}.",
                hint=_ask(subject),
            )
        asked = [each for each in approvals_at(chain, self.clock()).values() if each.request.subject == subject]
        reasons = [self._not_live(chain, each, policy) for each in asked]
        live = [each for each, reason in zip(asked, reasons, strict=True) if reason is None]
        if not live:
            why = f" Request {asked[-1].request.id}: {reasons[-1]}" if asked else ""
            hint = _answer(asked[-1]) if asked and asked[-1].state is ApprovalState.PENDING else _ask(subject)
            raise NotApproved(f"No living approval allows {subject.label} ({digest[:12]}).{why}", hint=hint)
        return live[-1]

    def _not_live(self, chain: Chain, approval: Approval, policy: ApprovalPolicy | None) -> str | None:
        """Why nothing may be deployed on this approval; None when it may."""
        if not approval.is_live:
            return approval.why
        if self._is_behind(chain, approval.request.id):
            return _BEHIND
        return shortfall(approval, policy, self.clock()) if policy else None

    def _current(self) -> Chain:
        """The ledger, in which what is over is written down as far as it can be."""
        chain = self.ledger.read()
        if chain.problem or not self._timeouts(chain):
            return chain
        try:
            return self.ledger.append(self._timeouts)
        except OutsideError:
            return chain  # who may only read sees the same states

    def _timeouts(self, chain: Chain) -> Sequence[Note]:
        now, noted = self.clock(), noted_timeouts(chain)
        return [
            timeout_note(id_, time_text(now))
            for id_, each in approvals_at(chain, now).items()
            if each.state is ApprovalState.TIMED_OUT and id_ not in noted
        ]

    def _found(self, chain: Chain, id_: str) -> Approval:
        approvals = approvals_at(chain, self.clock())
        if id_ not in approvals:
            raise NotFound(f"There is no request {id_!r}.", hint=did_you_mean(id_, approvals) or _SEE)
        return approvals[id_]

    def _refusal(self, chain: Chain, id_: str, said: Answer) -> str | None:
        found = self._found(chain, id_)
        if said.decision == "approve" and self._is_behind(chain, id_):
            return _BEHIND
        if "link" in said.evidence and any(
            said.evidence["link"] == each.evidence.get("link") for each in found.answers
        ):
            return "The link was used already."
        return refusal(found, said.by, said.decision)

    def _is_behind(self, chain: Chain, id_: str) -> bool:
        return self.clock() < latest_time(chain, id_) - _MOST_BEHIND


_BEHIND = (
    "The clock of this machine is behind the times in the ledger, so that nobody knows whether there is time left."
)


def _require_policy(policy: ApprovalPolicy) -> None:
    if policy.timeout <= timedelta(0) or (policy.valid_for is not None and policy.valid_for <= timedelta(0)):
        raise UserError("The time for an approval is more than none.", hint="timeout: 60m")
    if policy.approvals < 1:
        raise UserError("An approval takes one person or more.", hint="approvals: 1")
    people = count_people(policy.approvers)
    if policy.approvers and people < policy.approvals:
        raise UserError(f"{policy.approvals} approvals are needed, but the approvers are no more than {people}.")


def _require_subject(subject: ApprovalSubject) -> None:
    for what in ("name", "digest", "environment", "target"):
        require_name(getattr(subject, what), what)


def _plain_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as JSON can hold it; NaN and infinity are null."""
    plain: dict[str, Any] = json.loads(dump_json(dict(report)), parse_constant=lambda _: None)
    if len(dump_json(plain)) > _LARGEST_REPORT:
        raise UserError("A report for an approval has at most 1 MB.", hint="Give metrics and gates, not lines.")
    return plain


def _require_evidence(evidence: Mapping[str, str], via: Via) -> None:
    if sum(len(name) + len(value) for name, value in evidence.items()) > _LONGEST_REASON:
        raise UserError(f"Evidence has at most {_LONGEST_REASON:,} characters.", hint="Give a URL: run=https://…")
    if not all(text.isprintable() for pair in evidence.items() for text in pair):
        raise UserError("Evidence is one line.", hint="Give a URL: run=https://…")
    if "link" in evidence and via != "link":
        raise UserError("Only an answer by a link has a link as its evidence.", hint="Use another name: run=https://…")


def _plain_reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > _LONGEST_REASON:
        raise UserError(f"A reason has at most {_LONGEST_REASON:,} characters.")
    return reason


def _answer(asked: Approval) -> str:
    """Asking once more would bring nobody nearer to an answer."""
    return f"Answer it: flowyard approval approve {asked.request.id} --reason … (or reject)"


def _ask(subject: ApprovalSubject) -> str:
    words = (f"{subject.name}:{subject.version}", "--env", subject.environment, "--target", subject.target)
    return f"Ask for it: flowyard approval request {shlex.join(words)}"
