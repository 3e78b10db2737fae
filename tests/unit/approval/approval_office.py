"""A desk over a real ledger, whose clock a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings

from flowyard._util.secret_key import SecretKey
from flowyard.approval.chain import Seals
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.ledger import Ledger
from flowyard.approval.model import Approval, ApprovalPolicy, ApprovalSubject
from flowyard.store.open import open_database

patient = settings(deadline=None, derandomize=True, max_examples=100, suppress_health_check=list(HealthCheck))
"""The same examples each time, however slow the machine is."""

SUBJECT = ApprovalSubject("triage", 3, "ab" * 32, "prod", "endpoint")


class MovedClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


def open_ledger_in(folder: Path, key: Path, url: str | None = None) -> Ledger:
    return Ledger(open_database(folder, url), Seals(SecretKey(key, {})))


class Office:
    """A desk, its clock and where its ledger is."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder, self.url, self.clock = folder, url, MovedClock()
        self.key = folder / "keys" / "key"
        self.desk = self.another_desk()

    def another_desk(self) -> ApprovalDesk:
        """As another process would open it."""
        return ApprovalDesk(open_ledger_in(self.folder, self.key, self.url), self.clock)

    def desk_with_key(self, key: Path) -> ApprovalDesk:
        return ApprovalDesk(open_ledger_in(self.folder, key, self.url), self.clock)

    def asked(self, subject: ApprovalSubject = SUBJECT, by: str = "rita", **policy: object) -> Approval:
        return self.desk.request(subject, {"metrics": {"accuracy": 0.9}}, ApprovalPolicy(**policy), by)  # type: ignore[arg-type]
