"""The desk of the settings: its ledger in the store's database, its key in the user's folder."""

from __future__ import annotations

from pathlib import Path

from flowyard._util.secret_key import SecretKey
from flowyard.approval.chain import Seals
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.ledger import Ledger
from flowyard.approval.lineage import add_approval_fact
from flowyard.approval.seen_head import SeenHead
from flowyard.registry.open import open_registry
from flowyard.settings import Settings
from flowyard.store.open import open_database

__all__ = ["approval_key", "open_desk", "open_ledger"]


def approval_key(settings: Settings) -> SecretKey:
    """The key that seals approvals and signs their links: ``FLOWYARD_APPROVAL_KEY``, or a file in the user's folder."""
    return SecretKey(_folder(settings) / "key", settings.environ)


def open_ledger(settings: Settings) -> Ledger:
    """The ledger; nothing is connected or made yet."""
    database = open_database(settings.home, settings.store)
    return Ledger(database, Seals(approval_key(settings)), SeenHead.beside_key(_folder(settings), database.label))


def open_desk(settings: Settings) -> ApprovalDesk:
    """The desk over it, by the machine's clock; decisions are also written down with the version in the registry."""
    return ApprovalDesk.over(
        open_ledger(settings), on_decision=lambda approval: add_approval_fact(open_registry(settings), approval)
    )


def _folder(settings: Settings) -> Path:
    """Where what belongs to this account alone is kept."""
    return settings.user / "approval"
