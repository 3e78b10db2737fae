"""An approval as machines get it, and as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from flowyard._util.moments import moment_text
from flowyard.approval.facts import MetricFact, read_facts
from flowyard.approval.model import Approval, ApprovalState
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.errors import ExitCode

__all__ = ["answer_code", "approval_view", "print_approval"]

_NO = (ApprovalState.REJECTED, ApprovalState.TIMED_OUT, ApprovalState.VOID)


def answer_code(approval: Approval) -> int:
    """4 for every kind of no, else 0."""
    return ExitCode.NOT_APPROVED if approval.state in _NO else ExitCode.DONE


def approval_view(approval: Approval) -> dict[str, Any]:
    """What machines get of an approval: the names in it are a contract."""
    request, policy = approval.request, approval.request.policy
    return {
        "id": request.id,
        "state": str(approval.state),
        "why": approval.why,
        "is_live": approval.is_live,
        "live_until": approval.live_until,
        "subject": asdict(request.subject),
        "requested_by": request.requested_by,
        "requested_at": request.requested_at,
        "expires_at": request.expires_at,
        "policy": {
            "timeout_s": policy.timeout.total_seconds(),
            "approvals": policy.approvals,
            "approvers": list(policy.approvers),
            "self_approval": policy.self_approval,
            "valid_for_s": policy.valid_for.total_seconds() if policy.valid_for else None,
        },
        "report": dict(request.report),
        "report_digest": request.report_digest,
        "answers": [asdict(answer) for answer in approval.answers],
        "ledger_head": approval.head,
    }


def print_approval(approval: Approval, *, as_json: bool) -> None:
    """One request as a JSON value, or for people: what is asked, its metrics and gates, and what was answered."""
    if as_json:
        print_json(approval_view(approval))
        return
    request, subject, policy = approval.request, approval.request.subject, approval.request.policy
    facts = {
        "Request": f"{request.id}: {approval.state.replace('_', ' ')}",
        "Deploy": subject.label,
        "Digest": subject.digest,
        "Asked": f"{moment_text(request.requested_at)} by {request.requested_by}",
        "Answer by": moment_text(request.expires_at),
        "Needs": f"{policy.approvals} of {', '.join(policy.approvers) or 'anyone'}",
        "State": approval.why,
        "Ledger": f"head {approval.head}",
    }
    for name, value in facts.items():
        click.echo(f"{name + ':':<11}{printable(value)}")
    _print_report(request.report)
    if approval.answers:
        rows = [(moment_text(each.at), each.by, each.decision, each.reason, each.via) for each in approval.answers]
        print_table(["at", "by", "answer", "reason", "via"], rows)


def _print_report(report: Mapping[str, Any]) -> None:
    facts = read_facts(report)
    for warning in facts.warnings:
        click.echo(f"{'Warning:':<11}{printable(warning)}")
    if facts.metrics:
        now = f"now ({facts.serving})" if facts.serving else "now"
        table = [(each.name, each.value, each.serving, _change(each)) for each in facts.metrics]
        print_table(["metric", "this version", printable(now), "change"], table)
    if facts.gates:
        print_table(["gate", "verdict", "reason"], [(each.gate, each.verdict, each.reason) for each in facts.gates])


def _change(metric: MetricFact) -> str:
    return f"{metric.change} {metric.trend}" if metric.trend in ("better", "worse") else metric.change
