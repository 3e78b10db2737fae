"""A request for approval as a message to people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowyard._util.moments import moment_text
from flowyard.approval.facts import UNKNOWN, Facts, MetricFact, read_facts
from flowyard.approval.model import ApprovalRequest
from flowyard.notify.model import Link, Notice

__all__ = ["request_notice"]


def request_notice(request: ApprovalRequest, links: Sequence[Link] = ()) -> Notice:
    """What is asked, by whom, until when, and what the answer is given on. Without links it names the commands."""
    facts = read_facts(request.report)
    subject = request.subject
    text = [
        f"{request.requested_by} asks to put {subject.name} version {subject.version} on {subject.target}, "
        f"environment {subject.environment}.",
        f"Now serves: {facts.serving}." if facts.serving else "It is not known what serves now.",
        f"Answer until {moment_text(request.expires_at)}. No answer means no.",
    ]
    if not any(link.label == ANSWER for link in links):
        text.append(f"To answer: flowyard approval approve {request.id}, or: flowyard approval reject {request.id}")
    return Notice(
        f"Approval needed: {subject.label}",
        "\n".join(text),
        tuple(_rows(facts)),
        (*links, *(Link(label, url) for label, url in facts.links)),
    )


ANSWER = "Look and answer"
LOOK = "Look"


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.verdict:
        yield "Gates", facts.verdict
    for metric in facts.metrics:
        yield metric.name, _metric_text(metric)
    for gate in facts.gates:
        yield gate.gate, f"{gate.verdict}: {gate.reason}" if gate.reason else gate.verdict
    for warning in facts.warnings:
        yield "Warning", warning


def _metric_text(metric: MetricFact) -> str:
    trend = metric.trend if metric.trend in ("better", "worse") else ""
    now = ", ".join(filter(None, (f"now {metric.serving}", metric.change, trend)))
    return metric.value if metric.serving == UNKNOWN else f"{metric.value} ({now})"
