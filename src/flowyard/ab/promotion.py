"""Asking people whether a treatment that won may have all requests, at the desk where deployments are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from flowyard._util.files import dump_json
from flowyard.ab.decision.decide import Decision
from flowyard.ab.policy.model import AbPolicy
from flowyard.ab.run import Standing
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import Approval, ApprovalPolicy, ApprovalRequest, ApprovalState, ApprovalSubject

__all__ = ["PromotionDesk", "decision_view"]


@dataclass(frozen=True, slots=True)
class PromotionDesk:
    """Asks once for each test: who said no is not asked again; a question that nobody answered in time is asked anew.

    ``announce`` tells people of a new request.
    """

    desk: ApprovalDesk
    approval: ApprovalPolicy
    policy: AbPolicy
    by: str
    announce: Callable[[ApprovalRequest], None]

    def find(self, decision: Decision) -> Standing:
        """Whether somebody said yes, without asking anybody. Raises StoreError."""
        asked = self._asked(decision)
        if asked is None:
            return Standing(False, "Nobody was asked yet: flowyard ab decide asks.")
        return _standing(asked)

    def _asked(self, decision: Decision) -> Approval | None:
        subject = self._subject(decision)
        return next((each for each in self.desk.list() if each.request.subject == subject), None)

    def ask(self, decision: Decision) -> Standing:
        """Whether somebody said yes to this very test; asks when nobody was asked. Raises StoreError, UserError."""
        asked = self._asked(decision)
        if asked is None or asked.state in (ApprovalState.TIMED_OUT, ApprovalState.VOID) or _is_over(asked):
            subject, report = self._subject(decision), _report(self.policy, decision)
            asked = self.desk.request(subject, report, self.approval, self.by)
            self.announce(asked.request)
        return _standing(asked)

    def _subject(self, decision: Decision) -> ApprovalSubject:
        """What is allowed: this version by these rules in the test that began then. Another start is another one."""
        plain = dump_json([asdict(replace(self.policy, split=None)), decision.since.isoformat()])
        digest = hashlib.sha256(plain.encode()).hexdigest()
        version = _version(decision.treatment_version) or _version(self.policy.treatment) or 1
        return ApprovalSubject(self.policy.name, version, digest, "production", "all requests")


def decision_view(decision: Decision) -> dict[str, Any]:
    """A decision as JSON holds it: the names in it are a contract."""
    return {
        "state": str(decision.state),
        "rule": decision.rule,
        "reasons": list(decision.reasons),
        "since": decision.since.isoformat(),
        "until": decision.until.isoformat() if decision.until else None,
        "unit": decision.unit,
        "left_out": decision.left_out,
        "simulated": decision.simulated,
        "primary": _primary_view(decision),
        "sample_ratio_p_value": decision.sample_ratio_p_value,
        "guardrails": [asdict(each) for each in decision.guardrails],
        "epochs": [
            {
                "epoch": each.number,
                "at": each.at.isoformat(),
                "treatment_share": each.share,
                "control": {"requests": each.control.requests, "units": each.control.units},
                "treatment": {"requests": each.treatment.requests, "units": each.treatment.units},
            }
            for each in decision.epochs
        ],
    }


def _primary_view(decision: Decision) -> dict[str, Any]:
    found = asdict(decision.primary)
    interval = decision.primary.interval
    return {**found, "interval": list(interval) if interval else None}


def _version(text: str) -> int:
    """The number in ``4`` or ``shop:4``; 0 for anything else."""
    number = text.rpartition(":")[2]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0


def _standing(asked: Approval) -> Standing:
    return Standing(asked.is_live, asked.why, asked.request.id, asked.state is ApprovalState.PENDING)


def _is_over(asked: Approval) -> bool:
    return asked.state is ApprovalState.APPROVED and not asked.is_live


def _report(policy: AbPolicy, decision: Decision) -> Mapping[str, Any]:
    primary = decision.primary
    metrics = {"treatment": primary.treatment, "control": primary.control, "difference": primary.difference}
    return {
        "metrics": {f"{policy.primary.label} of {name}": value for name, value in metrics.items() if value is not None},
        "test": decision_view(decision),
    }
