"""What is asked, what was answered, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

__all__ = [
    "Answer",
    "Approval",
    "ApprovalPolicy",
    "ApprovalRequest",
    "ApprovalState",
    "ApprovalSubject",
    "Decision",
    "Via",
]

Decision = Literal["approve", "reject"]
Via = Literal["cli", "link", "github", "azure-devops", "jenkins"]


class ApprovalState(StrEnum):
    """Where a request stands. Only ``approved`` lets a deployment happen, and only until ``live_until``."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    """Nobody answered in time, which means no."""
    VOID = "void"
    """What was approved has changed since, or a newer request took its place."""


@dataclass(frozen=True, slots=True)
class ApprovalSubject:
    """What would be deployed, exactly, and where. ``digest`` is the flow version's digest in hex."""

    name: str
    version: int
    digest: str
    environment: str
    target: str

    @property
    def label(self) -> str:
        return f"{self.name}:{self.version} to {self.environment} ({self.target})"


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Who may say yes, how many have to, and until when: the block ``approval`` of ``experiment.yaml``.

    ``approvers`` are names (as ``by`` of an answer has them); empty means anyone. ``notify`` lists where the request is
    announced: ``mailto:ADDRESS``, ``slack:VARIABLE``, ``teams:VARIABLE`` or ``webhook:VARIABLE``, where the variable of
    the environment holds the URL, because such URLs are secrets. ``valid_for`` is how long a yes holds from the moment
    on that it was complete; None is until the time for answers ends.
    """

    timeout: timedelta = timedelta(minutes=60)
    approvals: int = 1
    approvers: tuple[str, ...] = ()
    self_approval: bool = True
    notify: tuple[str, ...] = ()
    valid_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """One question. ``report`` is what the answer is given on and is bound by its digest: the gates and metrics of the
    version, and ``serving`` what serves now with its metrics; times are ISO 8601 in UTC."""

    id: str
    subject: ApprovalSubject
    report: Mapping[str, Any]
    report_digest: str
    requested_by: str
    requested_at: str
    expires_at: str
    policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said, and by which way it came. ``evidence`` says where that can be looked up: ``run`` a URL."""

    by: str
    decision: Decision
    reason: str
    at: str
    via: Via = "cli"
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approval:
    """A request with its answers and the state they come to at a moment; ``why`` says it in a sentence.

    ``live_until`` is when an approval ends, None for all others; it ``is_live`` until then. ``head`` is the hash of the
    newest entry of the ledger that this was read from.
    """

    request: ApprovalRequest
    answers: tuple[Answer, ...]
    state: ApprovalState
    why: str
    live_until: str | None = None
    is_live: bool = False
    head: str = ""
