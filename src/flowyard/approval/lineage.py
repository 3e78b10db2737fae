"""Approvals and the registry: what is known of the version that is asked for, and what is written down with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.approval.model import Approval, ApprovalSubject
from flowyard.approval.report import report_of_facts, serving_of_facts
from flowyard.errors import NotFound, OutsideError, UserError
from flowyard.registry.lineage import approval_fact
from flowyard.registry.model import LineageFact, Version
from flowyard.registry.registry import Registry

__all__ = ["add_approval_fact", "find_subject", "registered_report", "with_serving"]


def find_subject(
    registry: Registry, label: str, environment: str, target: str, digest: str | None = None
) -> ApprovalSubject:
    """The registered flow version that ``NAME:VERSION`` names; with a digest also one that is in no registry here.

    Raises NotFound, and UserError for a label without a version that could be found.
    """
    try:
        version = registry.find(label, "flow")
    except NotFound:
        name, _, number = label.partition(":")
        if digest is None or not number.isdecimal():
            raise
        return ApprovalSubject(name, int(number), digest, environment, target)
    return ApprovalSubject(version.name, version.version, version.digest, environment, target)


def registered_report(registry: Registry, subject: ApprovalSubject) -> dict[str, Any]:
    """What lineage knows of a version as a report. Raises UserError when it is in no registry here."""
    version = _version_of(registry, subject)
    if version is None:
        raise UserError(
            f"{subject.name}:{subject.version} is in no registry here, so that nothing is known of it.",
            hint="Give what is to be decided on: --report FILE or --experiment KEY",
        )
    return report_of_facts(version.label, registry.facts(version))


def with_serving(registry: Registry, subject: ApprovalSubject, report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with the metrics of what serves now, which the alias ``production@ENVIRONMENT`` points at.

    A report that says so itself, and one for which there is none, stays as it is.
    """
    alias = f"production@{subject.environment}"
    if report.get("serving") is not None or alias not in registry.aliases(subject.name, "flow"):
        return dict(report)
    version = registry.find(f"{subject.name}@{alias}", "flow")
    return {**report, "serving": serving_of_facts(version.label, registry.facts(version))}


def add_approval_fact(registry: Registry, approval: Approval) -> None:
    """Write down with the version what was decided, and the ledger's head: what is missing there later shows.

    A version that is in no registry here has nowhere to write it. Raises OutsideError, which says that the answer
    itself is in the ledger.
    """
    request, subject = approval.request, approval.request.subject
    people = ", ".join(answer.by for answer in approval.answers)
    fact = approval_fact(
        request=request.id,
        decision=str(approval.state),
        by=people,
        environment=subject.environment,
        target=subject.target,
        ledger_head=approval.head,
    )
    try:
        version = _version_of(registry, subject)
        if version is not None and not _is_written_down(registry, version, fact):
            registry.add_fact(version, fact)
    except OutsideError as error:
        raise OutsideError(
            f"The answer is in the ledger, but it could not be written down with {subject.name}:{subject.version} "
            f"in the registry: {error.message}",
            hint=error.hint,
        ) from error


def _is_written_down(registry: Registry, version: Version, fact: LineageFact) -> bool:
    """Whether the same was decided on the same request before; the ledger may have gone on since."""
    same = ("request", "decision", "by")
    return any(
        each.kind == fact.kind and all(each.value.get(key) == fact.value[key] for key in same)
        for each in registry.facts(version)
    )


def _version_of(registry: Registry, subject: ApprovalSubject) -> Version | None:
    """The version in the registry, if it is the very content that the subject names."""
    for version in registry.versions(subject.name, "flow"):
        if (version.version, version.digest) == (subject.version, subject.digest):
            return version
    return None
