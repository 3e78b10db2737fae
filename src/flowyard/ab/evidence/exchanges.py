"""Evidence where a platform splits: there is no exposure, so which version answered says which arm it was.

Each request is a unit of its own, since the platform assigns each by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from flowyard.ab.evidence.counting import count_records
from flowyard.ab.evidence.model import Evidence, Split
from flowyard.ab.evidence.record_values import moment, number
from flowyard.ab.policy.model import AbPolicy

__all__ = ["ExchangeEvidence", "settled_split"]

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExchangeEvidence:
    """``records`` gives all records of production since a moment, None for one that cannot be read.

    Only exchanges of ``flow`` count. A request that began within ``margin`` of a change of the split is left out:
    clocks differ, and a platform takes a while to follow.
    """

    records: Callable[[datetime], Iterable[Record | None]]
    label: str
    flow: str
    margin: timedelta

    def read(self, policy: AbPolicy, since: datetime, splits: Sequence[Split]) -> Evidence:
        """See EvidenceSource. A request belongs to the split that was in force when it began."""
        assigner = _Assigner(policy, splits, self.margin)
        kept = list(self._joined(assigner, self.records(since - self.margin)))
        found = count_records(kept, policy, since, [each for each in splits if each.settled_at is not None])
        return replace(found, left_out=assigner.left_out)

    def _joined(self, assigner: _Assigner, records: Iterable[Record | None]) -> Iterator[Record | None]:
        """Exchanges with an exposure each, under ids that nobody outside could choose, then all other records."""
        others: list[Record] = []
        ids: dict[str, str] = {}
        for place, record in enumerate(records):
            kind = "" if record is None else record.get("kind")
            if record is None:
                yield None
            elif kind == "exchange" and record.get("flow") == self.flow:
                exposure = assigner.exposure(record)
                if exposure is not None:
                    own = {"request_id": f"exchange {place}"}
                    ids.setdefault(str(record.get("request_id")), own["request_id"])
                    yield {**exposure, **own}
                    yield {**record, **own}
            elif kind not in ("exchange", "exposure", "epoch"):
                others.append(record)
        for record in others:  # whose own ids callers choose: one that is called as ours are would be another's
            named = str(record.get("request_id"))
            yield {**record, "request_id": ids.get(named, f"other {named}")}


class _Assigner:
    """Which arm and which epoch an exchange was in."""

    def __init__(self, policy: AbPolicy, splits: Sequence[Split], margin: timedelta) -> None:
        self._policy = policy
        self._splits = splits
        self._margin = margin
        self.left_out = 0

    def exposure(self, exchange: Record) -> Record | None:
        """What a gateway would have said of it; None for what is not compared."""
        version, ended = str(exchange.get("version")), moment(exchange)
        if version not in (self._policy.control, self._policy.treatment) or ended is None:
            return None
        latency = number(exchange.get("latency_s")) or 0.0
        began = ended - timedelta(seconds=max(0.0, latency))
        split = settled_split(self._splits, began, self._margin)
        if split is None:
            self.left_out += 1
            return None
        return {
            "kind": "exposure",
            "at": began.isoformat(),
            "trace_id": exchange.get("trace_id"),
            "experiment": self._policy.experiment,
            "arm": version,
            "version": version,
            "epoch": split.epoch,
            "unit_from": "request",
            "status": exchange.get("status"),
            "latency_s": latency,
        }


def settled_split(splits: Sequence[Split], at: datetime, margin: timedelta) -> Split | None:
    """The split that was in force for certain; None near a change, and where nobody knows. ``splits`` are in order."""
    ends = [*(following.at - margin for _, following in pairwise(splits)), None]
    for split, end in zip(splits, ends, strict=False):
        begins = split.settled_at + margin if split.settled_at is not None else None
        if begins is not None and begins <= at and (end is None or at < end):
            return split
    return None
