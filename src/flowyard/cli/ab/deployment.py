"""Tests whose requests are split by the platform that serves the deployments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flowyard._util.person import person_name
from flowyard.ab.evidence.exchanges import ExchangeEvidence
from flowyard.ab.evidence.file import EvidenceFiles
from flowyard.ab.evidence.model import EvidenceSource
from flowyard.ab.evidence.store import CollectedEvidence
from flowyard.ab.policy.model import SplitPlace
from flowyard.cli.deploy.options import open_place
from flowyard.cli.deploy.parts import traffic_parts
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.traffic.change import require_platform
from flowyard.deploy.traffic.split import DeploymentSplit
from flowyard.production.exchanges.exchange_records import iter_exchange_records

__all__ = ["deployment_source", "open_split"]


def open_split(path: Path, place: SplitPlace, home: str | None) -> DeploymentSplit:
    """The split of an environment of the use case at ``path``. Raises UserError where no platform splits."""
    folder = path if path.is_dir() else path.parent
    opened = open_place(folder, str(place.deployment), place.target, home)
    if require_platform(opened.target).keeps_clients:
        print_warnings(
            [
                f"{opened.target.label} keeps a client that takes cookies with one version: its requests are not "
                "independent, and the numbers hold only for clients that take none."
            ]
        )
    return DeploymentSplit(traffic_parts(opened, person_name(opened.app.environ)))


def deployment_source(
    source: EvidenceFiles | CollectedEvidence, splitter: DeploymentSplit, margin: timedelta
) -> EvidenceSource:
    """The evidence of exchanges, from the same files or the same store."""
    flow = splitter.parts.name

    def records(since: datetime) -> Iterable[Mapping[str, Any] | None]:
        if isinstance(source, EvidenceFiles):
            return source.records()
        return iter_exchange_records(source.store, flow, since)

    return ExchangeEvidence(records, source.label, flow, margin)
