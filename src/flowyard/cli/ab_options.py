"""What the commands of ``flowyard ab`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.person import person_name
from flowyard.ab.evidence import EvidenceSource
from flowyard.ab.evidence_file import EvidenceFiles
from flowyard.ab.journal import AbJournal
from flowyard.ab.policy import AbPolicy
from flowyard.ab.policy_file import find_policy
from flowyard.ab.promotion import PromotionDesk
from flowyard.ab.run import Test
from flowyard.ab.split_file import SplitFile
from flowyard.ab.split_gateway import GatewaySplit
from flowyard.abc import Splitter
from flowyard.app import open_app
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.open import open_desk
from flowyard.approval.policy import read_approval_policy
from flowyard.cli.approval_notices import tell_people
from flowyard.cli.options import read_settings, store_options
from flowyard.errors import UserError
from flowyard.experiments.load import load_experiment
from flowyard.settings import Settings

__all__ = ["ab_options", "evidence_option", "open_test"]

F = TypeVar("F", bound=Callable[..., Any])


def ab_options(command: F) -> F:
    """``USECASE``, ``--home`` and ``--json``."""
    return click.argument("path", metavar="USECASE")(store_options(command))


def evidence_option(command: F) -> F:
    """``--evidence``, which may be given several times."""
    return click.option(
        "--evidence",
        multiple=True,
        required=True,
        metavar="FILE",
        help="Records of production, as JSON lines: exposures, exchanges, feedback.",
    )(command)


def open_test(path: str, home: str | None, evidence: tuple[str, ...] = ()) -> Test:
    """The test of a use case with all that it works with. Raises UserError, NotFound."""
    settings = read_settings(home)
    place = Path(path)
    policy = find_policy(place)
    return Test(
        policy,
        AbJournal.of(settings.home, policy.name),
        _splitter(policy, settings, place),
        _evidence(evidence),
        _now,
        lambda decision: _promotions(policy, settings, place).ask(decision),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _evidence(files: tuple[str, ...]) -> EvidenceSource:
    """Where the counts come from; the one place that knows which sources there are."""
    return EvidenceFiles(tuple(map(Path, files)))


def _splitter(policy: AbPolicy, settings: Settings, path: Path) -> Splitter:
    """Where the split is set; without a place in the policy, a file beside the journal says what it should be."""
    split = policy.split
    if split is not None and split.gateway is not None:
        variable = str(split.key)[2:-1]
        key = open_app(settings, path).environ.get(variable, "")
        if not key:
            raise UserError(f"The variable {variable} is not set.", hint="It holds the key of the gateway's control.")
        if not key.isascii() or not key.isprintable():
            raise UserError(f"The variable {variable} holds no key: a key is one word of ASCII.")
        return GatewaySplit(split.gateway.rstrip("/"), key)
    if split is not None and split.file is not None:
        return SplitFile(Path(split.file), _now)
    return SplitFile(settings.home / "ab" / policy.name / "split.json", _now)


def _promotions(policy: AbPolicy, settings: Settings, path: Path) -> PromotionDesk:
    desk = open_desk(settings)
    return PromotionDesk(
        desk,
        _approval_policy(path),
        policy,
        person_name(settings.environ),
        lambda request: tell_people(settings, desk, request),
    )


def _approval_policy(path: Path) -> ApprovalPolicy:
    """That of the experiment beside ``ab.yaml``; else the default."""
    folder = path if path.is_dir() else path.parent
    if not (folder / "experiment.yaml").is_file():
        return ApprovalPolicy()
    return read_approval_policy(load_experiment(folder))
