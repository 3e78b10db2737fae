"""Requests and answers as the ledger keeps them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flowyard.approval.chain import Note
from flowyard.approval.model import Answer, ApprovalPolicy, ApprovalRequest, ApprovalSubject

__all__ = [
    "answer_from_body",
    "answer_note",
    "parse_time",
    "request_from_body",
    "request_note",
    "time_text",
    "timeout_note",
]


def time_text(time: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds")


def parse_time(text: str) -> datetime:
    """Raises ValueError for what is no time with its zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def request_note(request: ApprovalRequest) -> Note:
    policy = asdict(request.policy) | {
        "timeout": request.policy.timeout.total_seconds(),
        "valid_for": request.policy.valid_for.total_seconds() if request.policy.valid_for else None,
    }
    body = {
        "id": request.id,
        "subject": asdict(request.subject),
        "report": dict(request.report),
        "report_digest": request.report_digest,
        "requested_by": request.requested_by,
        "expires_at": request.expires_at,
        "policy": {name: list(value) if isinstance(value, tuple) else value for name, value in policy.items()},
    }
    return Note("request", body, request.requested_at)


def request_from_body(body: Mapping[str, Any], at: str) -> ApprovalRequest:
    """Raises ValueError, KeyError or TypeError for what is no request."""
    policy = dict(body["policy"])
    policy["timeout"] = timedelta(seconds=policy["timeout"])
    policy["valid_for"] = timedelta(seconds=policy["valid_for"]) if policy["valid_for"] is not None else None
    policy |= {name: tuple(policy[name]) for name in ("approvers", "notify")}
    parse_time(at), parse_time(body["expires_at"])
    return ApprovalRequest(
        str(body["id"]),
        ApprovalSubject(**body["subject"]),
        body["report"],
        str(body["report_digest"]),
        str(body["requested_by"]),
        at,
        body["expires_at"],
        ApprovalPolicy(**policy),
    )


def answer_note(request: str, answer: Answer) -> Note:
    body = {name: value for name, value in asdict(answer).items() if name != "at"}
    return Note("answer", {"request": request, **body}, answer.at)


def answer_from_body(body: Mapping[str, Any], at: str) -> Answer:
    """Raises ValueError, KeyError or TypeError for what is no answer."""
    if body["decision"] not in ("approve", "reject"):
        raise ValueError("that is no decision")
    parse_time(at)
    evidence = {str(name): str(value) for name, value in body["evidence"].items()}
    return Answer(str(body["by"]), body["decision"], str(body["reason"]), at, body["via"], evidence)


def timeout_note(request: str, at: str) -> Note:
    return Note("timeout", {"request": request}, at)
