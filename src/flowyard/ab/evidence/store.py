"""Evidence from the store, into which ``flowyard monitor collect`` takes the records of production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flowyard.ab.evidence.counting import count_records
from flowyard.ab.evidence.model import Evidence, Split
from flowyard.ab.policy.model import AbPolicy
from flowyard.production.exchanges.experiment_records import iter_experiment_records
from flowyard.production.store.store import ProductionStore

__all__ = ["CollectedEvidence"]


@dataclass(frozen=True, slots=True)
class CollectedEvidence:
    """The collected records of the experiment, read anew each time."""

    store: ProductionStore

    @property
    def label(self) -> str:
        """What reports call it."""
        return "the store"

    def read(self, policy: AbPolicy, since: datetime, splits: Sequence[Split]) -> Evidence:
        """Raises StoreError when the store cannot be read."""
        return count_records(iter_experiment_records(self.store, policy.experiment, since), policy, since, splits)
