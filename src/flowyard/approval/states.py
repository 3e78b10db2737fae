"""What the entries of a ledger come to at a moment: a pure function of both, so that nobody keeps a state besides.

The rules, in the order of the entries:

- A yes counts when the person may give it, has not given it before, is in time, and its seal was verified.
- A no counts from anyone, in time; also after the yes was complete, as long as that holds: it is taken back.
- Time is what the clock says, or the latest time of an entry from the request on if that is later: a clock that was
  put back prolongs nothing.
- A newer request for the same flow, target and environment voids one that is pending; one that is approved is voided
  when the newer one is approved, too, because what it was compared with no longer serves then.
- A request that cannot be verified is void, and so is every approval in a ledger that is not whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flowyard._util.moments import moment_text
from flowyard.approval.chain import Chain, Entry
from flowyard.approval.model import Answer, Approval, ApprovalPolicy, ApprovalRequest, ApprovalState
from flowyard.approval.names import is_approver, same_person
from flowyard.approval.notes import answer_from_body, parse_time, request_from_body, time_text

__all__ = ["BROKEN", "approvals_at", "latest_time", "noted_timeouts", "refusal", "shortfall"]

BROKEN = "The ledger was changed by others than flowyard, so nothing in it counts."
_UNVERIFIED = "The request was sealed with a key that is not here ({key}), so it cannot be verified."


@dataclass(slots=True)
class _Case:
    """A request on its way through the entries."""

    request: ApprovalRequest
    latest: datetime
    answers: list[Answer] = field(default_factory=list)
    doubtful: int = 0
    state: ApprovalState = ApprovalState.PENDING
    why: str = ""
    live_until: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether no entry and no time can change it any more."""
        return self.state is not ApprovalState.PENDING and (self.live_until is None or self.latest >= self.live_until)

    def end(self, state: ApprovalState, why: str) -> None:
        self.state, self.why, self.live_until = state, why, None


def approvals_at(chain: Chain, now: datetime) -> dict[str, Approval]:
    """Every request by its id, oldest first, with its state at that time."""
    cases: dict[str, _Case] = {}
    open_cases: dict[str, _Case] = {}
    for entry in chain.entries:
        parsed = _parsed(entry)
        if parsed is None:
            continue  # only entries that others wrote cannot be read
        body, at = parsed
        for case in list(open_cases.values()):
            case.latest = max(case.latest, at)
            if case.is_over:
                del open_cases[case.request.id]  # so that old cases cost nothing
        _take(cases, open_cases, entry, body, is_verified=entry.seq not in chain.unverified)
    return {id_: _settled(case, chain, max(now, case.latest)) for id_, case in cases.items()}


def latest_time(chain: Chain, id_: str) -> datetime:
    """The latest time of all entries from a request on. Raises KeyError when there is no such request."""
    found: datetime | None = None
    for entry in chain.entries:
        parsed = _parsed(entry)
        if parsed and (found or (entry.kind == "request" and parsed[0].get("id") == id_)):
            found = max(found or parsed[1], parsed[1])
    if found is None:
        raise KeyError(id_)
    return found


def noted_timeouts(chain: Chain) -> frozenset[str]:
    """The requests whose end is written down."""
    bodies = [parsed[0] for entry in chain.entries if entry.kind == "timeout" and (parsed := _parsed(entry))]
    return frozenset(str(body.get("request")) for body in bodies)


def refusal(approval: Approval, by: str, decision: str) -> str | None:
    """Why this person's answer would not count; None when it would."""
    if approval.state is not ApprovalState.PENDING and not (decision == "reject" and approval.is_live):
        return f"It is {approval.state.replace('_', ' ')} already. {approval.why}"
    if decision == "reject":
        return None
    return _may_not_approve(approval.request, approval.answers, by)


def shortfall(approval: Approval, policy: ApprovalPolicy, now: datetime) -> str | None:
    """What an approval lacks of a policy, whatever the one was that it was asked for under; None when it has all."""
    request = replace(approval.request, policy=policy)
    asked = parse_time(request.requested_at)
    counted: list[Answer] = []
    for answer in approval.answers:
        in_time = parse_time(answer.at) < asked + policy.timeout
        if answer.decision == "approve" and in_time and _may_not_approve(request, counted, answer.by) is None:
            counted.append(answer)
    if len(counted) < policy.approvals:
        return f"By the policy that holds here, {len(counted)} of {policy.approvals} approvals count."
    start, lasts = (parse_time(counted[-1].at), policy.valid_for) if policy.valid_for else (asked, policy.timeout)
    if now >= start + lasts:
        return f"By the policy that holds here, it held until {moment_text(start + lasts)}."
    return None


def _parsed(entry: Entry) -> tuple[Mapping[str, Any], datetime] | None:
    try:
        body = entry.body
        return (body, parse_time(entry.at)) if isinstance(body, Mapping) else None
    except (ValueError, RecursionError):
        return None


def _take(
    cases: dict[str, _Case], open_cases: dict[str, _Case], entry: Entry, body: Mapping[str, Any], *, is_verified: bool
) -> None:
    try:
        if entry.kind == "request":
            request = request_from_body(body, entry.at)
            if request.id not in cases:
                opened = _opened(open_cases, request, None if is_verified else entry.sealed_by)
                cases[request.id] = open_cases[request.id] = opened
        elif case := cases.get(str(body.get("request"))):
            if entry.kind == "answer":
                _take_answer(open_cases, case, answer_from_body(body, entry.at), is_verified=is_verified)
            elif entry.kind == "timeout" and case.state is ApprovalState.PENDING:
                _time_out(case)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return  # sealed with a key that is not here, and no entry of ours


def _opened(open_cases: Mapping[str, _Case], request: ApprovalRequest, unknown_key: str | None) -> _Case:
    for older in _same_place(open_cases, request):
        if older.state is ApprovalState.PENDING:
            older.end(ApprovalState.VOID, f"A newer request for the same target took its place: {request.id}.")
    case = _Case(request, parse_time(request.requested_at))
    if unknown_key is not None:
        case.end(ApprovalState.VOID, _UNVERIFIED.format(key=unknown_key))
    return case


def _take_answer(open_cases: Mapping[str, _Case], case: _Case, answer: Answer, *, is_verified: bool) -> None:
    at = max(parse_time(answer.at), case.latest)
    if case.state is ApprovalState.PENDING and at >= parse_time(case.request.expires_at):
        _time_out(case)
    holds = case.live_until is not None and at < case.live_until
    if answer.decision == "reject" and (case.state is ApprovalState.PENDING or holds):
        case.answers.append(answer)
        case.end(ApprovalState.REJECTED, _said(f"{answer.by} said no", answer.reason))
    elif answer.decision == "approve" and case.state is ApprovalState.PENDING:
        if not is_verified:
            case.doubtful += 1
        elif _may_not_approve(case.request, case.answers, answer.by) is None:
            case.answers.append(answer)
            _count(open_cases, case, at)


def _count(open_cases: Mapping[str, _Case], case: _Case, at: datetime) -> None:
    """See whether the yes that has just come was the last one that is needed."""
    policy = case.request.policy
    if len(case.answers) < policy.approvals:
        return
    for older in _same_place(open_cases, case.request):
        if older is not case and older.state is ApprovalState.APPROVED:
            older.end(ApprovalState.VOID, f"A newer request for the same target was approved: {case.request.id}.")
    case.state = ApprovalState.APPROVED
    case.live_until = at + policy.valid_for if policy.valid_for else parse_time(case.request.expires_at)
    case.why = _said(f"{', '.join(each.by for each in case.answers)} said yes", case.answers[-1].reason)


def _settled(case: _Case, chain: Chain, now: datetime) -> Approval:
    if case.state is ApprovalState.PENDING and now >= parse_time(case.request.expires_at):
        _time_out(case)
    if chain.problem and case.state in (ApprovalState.PENDING, ApprovalState.APPROVED):
        case.end(ApprovalState.VOID, f"{BROKEN} {chain.problem}")
    if case.state is ApprovalState.PENDING:
        case.why = _pending_text(case)
    is_live = case.live_until is not None and now < case.live_until
    until = time_text(case.live_until) if case.live_until else None
    if until:
        case.why += f" It {'holds' if is_live else 'held'} until {moment_text(until)}."
    return Approval(case.request, tuple(case.answers), case.state, case.why, until, is_live, chain.head)


def _time_out(case: _Case) -> None:
    missing = case.request.policy.approvals - len(case.answers)
    case.end(
        ApprovalState.TIMED_OUT,
        f"{missing} of {case.request.policy.approvals} answers had not come in time: that is a no.",
    )


def _pending_text(case: _Case) -> str:
    policy = case.request.policy
    until = moment_text(case.request.expires_at)
    text = f"{len(case.answers)} of {policy.approvals} approvals are there; the time ends at {until}."
    return f"{text} {case.doubtful} more cannot be verified with the key that is here." if case.doubtful else text


def _may_not_approve(request: ApprovalRequest, answers: Iterable[Answer], by: str) -> str | None:
    if any(same_person(by, each.by) for each in answers):
        return f"{by} has answered already."
    if not is_approver(by, request.policy.approvers):
        return f"{by} is none of the approvers: {', '.join(request.policy.approvers)}."
    if not request.policy.self_approval and same_person(by, request.requested_by):
        return f"{by} asked for it, and nobody may approve their own request here."
    return None


def _same_place(open_cases: Mapping[str, _Case], request: ApprovalRequest) -> list[_Case]:
    """Requests of the same flow for the same place; what other use cases ask for there is none of its business."""
    return [each for each in open_cases.values() if _place(each.request) == _place(request)]


def _place(request: ApprovalRequest) -> tuple[str, str, str]:
    subject = request.subject
    return (subject.name, subject.environment, subject.target)


def _said(text: str, reason: str) -> str:
    return f"{text}: “{reason}”." if reason else f"{text}."
