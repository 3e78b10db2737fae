"""What a link is good for at this moment, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flowyard._util.moments import moment_text
from flowyard.approval.links import LinkClaim
from flowyard.approval.model import Answer, Approval, ApprovalState
from flowyard.approval.names import same_person

__all__ = ["Standing", "link_standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """``tone`` is open, done, no or look. ``says`` is None while the link can answer; ``status`` is that of HTTP."""

    tone: str
    says: str | None = None
    status: int = 200

    @property
    def is_open(self) -> bool:
        return self.tone == "open"


def link_standing(claim: LinkClaim, approval: Approval, now: datetime) -> Standing:
    """Whether the link still answers, and if not, why."""
    used = next((each for each in approval.answers if each.evidence.get("link") == claim.id), None)
    if used is not None:
        return _used(used, approval)
    if approval.state is ApprovalState.TIMED_OUT or (approval.state is ApprovalState.PENDING and claim.is_over(now)):
        return Standing("no", "The time to answer is over, and no answer means no.", 410)
    if approval.state is not ApprovalState.PENDING:
        return Standing(_tone(approval), f"This request is closed: {_state(approval)}. {approval.why}", 409)
    if claim.purpose == "look":
        return Standing("look", "With this link you can look at the request, but not answer it.", 403)
    if claim.approver and any(same_person(claim.approver, each.by) for each in approval.answers):
        return Standing("look", f"{claim.approver} has answered already, by another way.", 409)
    return Standing("open")


def _used(answer: Answer, approval: Approval) -> Standing:
    said = "yes" if answer.decision == "approve" else "no"
    text = f"{answer.by} said {said} on {moment_text(answer.at)}. This link has been used."
    ended_it = approval.state is ApprovalState.REJECTED and answer is approval.answers[-1]
    more = f" The request is {_state(approval)}." + ("" if ended_it else f" {approval.why}")
    return Standing("done" if answer.decision == "approve" else "no", text + more, 409)


def _tone(approval: Approval) -> str:
    return "done" if approval.state is ApprovalState.APPROVED else "no"


def _state(approval: Approval) -> str:
    return str(approval.state.value).replace("_", " ")
