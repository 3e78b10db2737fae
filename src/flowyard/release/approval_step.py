"""A person says yes or no to the version for the environment."""

from __future__ import annotations

from typing import Any

from flowyard.approval.experiment_report import report_of_experiment
from flowyard.approval.lineage import add_approval_fact, with_serving
from flowyard.approval.model import Approval, ApprovalState, ApprovalSubject
from flowyard.errors import ExitCode
from flowyard.registry.model import Version
from flowyard.release.experiment_step import find_execution
from flowyard.release.parts import ReleaseParts
from flowyard.release.register_step import move_alias, registered_version
from flowyard.steps import Outcome, Work

__all__ = ["ask_for_approval"]


def ask_for_approval(parts: ReleaseParts, work: Work) -> Outcome:
    """Ask once, wait, and write the answer down. A request that stands already for the same is taken."""
    version = registered_version(parts, work)
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
    noted = work.result("approval").get("request")
    if noted:
        return parts.desk.get(noted)
    subject = ApprovalSubject(version.name, version.version, version.digest, work.record.env, work.record.target)
    for each in parts.desk.list():
        if each.request.subject == subject and (each.is_live or each.state is ApprovalState.PENDING):
            work.note("approval", request=each.request.id)
            return each
    report = report_of_experiment(find_execution(parts, work), parts.ships.label)
    asked = parts.desk.request(subject, with_serving(parts.registry, subject, report), parts.approval, parts.by)
    work.note("approval", request=asked.request.id)
    parts.announce(asked)
    return asked


def _write_down(parts: ReleaseParts, version: Version, approval: Approval) -> None:
    add_approval_fact(parts.registry, approval)
    if approval.is_live:
        alias = f"approved@{approval.request.subject.environment}"
        move_alias(parts.registry, version, alias, parts.by, f"approval {approval.request.id}")


def _result(approval: Approval) -> dict[str, Any]:
    return {"request": approval.request.id, "state": str(approval.state), "why": approval.why}
