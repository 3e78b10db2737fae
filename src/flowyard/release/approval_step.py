"""A person says yes or no to the version for the environment."""

from __future__ import annotations

import contextlib
from typing import Any

from flowyard.approval.experiment_report import report_of_experiment
from flowyard.approval.lineage import add_approval_fact, registered_report, with_serving
from flowyard.approval.model import Approval, ApprovalState, ApprovalSubject
from flowyard.errors import ExitCode, NotApproved
from flowyard.registry.model import Version
from flowyard.registry.point_alias import point_alias
from flowyard.release.experiment_step import find_execution
from flowyard.release.parts import ReleaseParts
from flowyard.release.register_step import registered_version
from flowyard.steps import Outcome, Work

__all__ = ["ask_for_approval"]


def ask_for_approval(parts: ReleaseParts, work: Work) -> Outcome:
    """Ask once, wait, and write the answer down. A request that stands already for the same is taken."""
    version = registered_version(parts, work)
    if parts.no_approval is not None:
        return Outcome({"request": None}, f"none is needed ({parts.no_approval})")
    approval = _asked(parts, work, version)
    if approval.state is ApprovalState.PENDING:
        if parts.wait is None:
            return Outcome(_result(approval), f"{approval.request.id} waits for an answer", pending=True)
        approval = parts.wait(approval)
    if approval.state is ApprovalState.PENDING:  # the waiting was given up
        return Outcome(_result(approval), f"{approval.request.id} waits for an answer", pending=True)
    _write_down(parts, version, approval)
    said = f"{approval.request.id}: {approval.why}"
    return Outcome(_result(approval), said, None if approval.is_live else ExitCode.NOT_APPROVED)


def _asked(parts: ReleaseParts, work: Work, version: Version) -> Approval:
    subject = ApprovalSubject(version.name, version.version, version.digest, work.record.env, work.record.target)
    approval = _noted(parts, work, subject) or _standing(parts, subject) or _new(parts, work, subject)
    work.note("approval", request=approval.request.id)
    if approval.state is ApprovalState.PENDING and work.result("approval").get("announced") != approval.request.id:
        parts.announce(approval)
        work.note("approval", announced=approval.request.id)
    return approval


def _noted(parts: ReleaseParts, work: Work, subject: ApprovalSubject) -> Approval | None:
    """What this release has asked before, if it is what it would ask now."""
    noted = work.result("approval").get("request")
    approval = parts.desk.get(noted) if noted else None
    return approval if approval and _is_same(approval, parts, subject) else None


def _standing(parts: ReleaseParts, subject: ApprovalSubject) -> Approval | None:
    """A yes to the same that fulfils the policy, or else the same question that is open, whoever asked it."""
    with contextlib.suppress(NotApproved):
        return parts.desk.require_live(subject, policy=parts.approval)
    asked = (each for each in parts.desk.list() if each.state is ApprovalState.PENDING)
    return next((each for each in asked if _is_same(each, parts, subject)), None)


def _is_same(approval: Approval, parts: ReleaseParts, subject: ApprovalSubject) -> bool:
    """Whoever asks chooses the policy, so that a question under another one is another question."""
    return approval.request.subject == subject and approval.request.policy == parts.approval


def _new(parts: ReleaseParts, work: Work, subject: ApprovalSubject) -> Approval:
    if parts.evaluates:
        report = report_of_experiment(find_execution(parts, work), parts.ships.label)
    else:
        report = registered_report(parts.registry, subject)
    return parts.desk.request(subject, with_serving(parts.registry, subject, report), parts.approval, parts.by)


def _write_down(parts: ReleaseParts, version: Version, approval: Approval) -> None:
    add_approval_fact(parts.registry, approval)
    if approval.is_live:
        alias = f"approved@{approval.request.subject.environment}"
        point_alias(parts.registry, version, alias, parts.by, f"approval {approval.request.id}")


def _result(approval: Approval) -> dict[str, Any]:
    return {"request": approval.request.id, "state": str(approval.state), "why": approval.why}
