"""What the commands of ``flowyard ab`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.person import person_name
from flowyard.ab.evidence.file import EvidenceFiles
from flowyard.ab.evidence.model import EvidenceSource
from flowyard.ab.evidence.store import CollectedEvidence
from flowyard.ab.journal import AbJournal
from flowyard.ab.policy.file import deployment_problems, find_policy
from flowyard.ab.policy.model import AbPolicy, SplitPlace
from flowyard.ab.promotion import PromotionDesk
from flowyard.ab.run import Test
from flowyard.ab.split.file import SplitFile
from flowyard.ab.split.gateway import GatewaySplit
from flowyard.abc import Splitter
from flowyard.app import open_app
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.open import open_desk
from flowyard.approval.policy import read_approval_policy
from flowyard.cli.approval.notices import tell_people
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.errors import UserError
from flowyard.experiments.load import load_experiment
from flowyard.production.store.store import open_production
from flowyard.settings import Settings

__all__ = ["ab_options", "evidence_option", "open_test", "promotions"]

F = TypeVar("F", bound=Callable[..., Any])


def ab_options(command: F) -> F:
    """``USECASE``, ``--deployment``, ``--env``, ``--home`` and ``--json``."""
    text = "The use case whose deployments are the arms, where ab.yaml does not say who splits."
    deployment = click.option("--deployment", metavar="USECASE", help=text)
    env = click.option("--env", metavar="NAME", help="Its environment in deployment.yaml.")
    return click.argument("path", metavar="USECASE")(deployment(env(store_options(command))))


def evidence_option(command: F) -> F:
    """``--evidence``, which may be given several times; without it, the store is asked."""
    return click.option(
        "--evidence",
        multiple=True,
        metavar="FILE",
        help="Records of production, as JSON lines, instead of those that `monitor collect` took into the store.",
    )(command)


def open_test(
    path: str,
    home: str | None,
    evidence: tuple[str, ...] = (),
    deployment: str | None = None,
    env: str | None = None,
) -> Test:
    """The test of a use case with all that it works with. Raises UserError, NotFound."""
    settings = read_settings(home)
    place = Path(path)
    policy = with_deployment(find_policy(place), deployment, env)
    splitter: Splitter = _splitter(policy, settings, place)
    collected = _evidence(evidence, settings)
    source: EvidenceSource = collected
    if policy.split is not None and policy.split.deployment is not None:
        from flowyard.cli.ab.deployment import deployment_source, open_split  # noqa: PLC0415 - heavy

        platform = open_split(Path(deployment) if deployment else place, policy.split, home)
        splitter, source = platform, deployment_source(collected, platform, policy.split.margin)
    return Test(
        policy,
        AbJournal.of(settings.home, policy.name),
        splitter,
        source,
        _now,
        lambda decision: promotions(policy, settings, place).ask(decision),
        lambda decision: promotions(policy, settings, place).find(decision),
    )


def with_deployment(policy: AbPolicy, deployment: str | None, env: str | None) -> AbPolicy:
    """The policy with the place that the command names. Raises UserError when it names half of one, or two."""
    if deployment is None and env is None:
        return policy
    if deployment is None or env is None:
        raise UserError("--deployment and --env belong together.", hint="--deployment USECASE --env prod")
    if policy.split is not None:
        raise UserError("ab.yaml says who splits already.", hint="Leave out --deployment, or 'split' in ab.yaml.")
    problem = next(deployment_problems(policy.unit, (policy.control, policy.treatment)), None)
    if problem is not None:
        raise UserError(problem, hint="In ab.yaml: unit: request, and arms: {control: '3', treatment: '4'}")
    return replace(policy, split=SplitPlace(deployment=env))


def _now() -> datetime:
    return datetime.now(UTC)


def _evidence(files: tuple[str, ...], settings: Settings) -> EvidenceFiles | CollectedEvidence:
    """Where the counts come from; the one place that knows which sources there are."""
    return EvidenceFiles(tuple(map(Path, files))) if files else CollectedEvidence(open_production(settings))


def _splitter(policy: AbPolicy, settings: Settings, path: Path) -> Splitter:
    """Where the split is set; without a place in the policy, a file beside the journal says what it should be."""
    split = policy.split
    if split is not None and split.gateway is not None:
        variable = str(split.key)[2:-1]
        key = open_app(settings, path).environ.get(variable, "")
        if not key:
            raise UserError(
                f"The variable {variable} is not set.",
                hint=f"It holds the key of the gateway's control: export {variable}=…, or write it to .env",
            )
        if not key.isascii() or not key.isprintable():
            raise UserError(f"The variable {variable} holds no key: a key is one word of ASCII.")
        return GatewaySplit(split.gateway.rstrip("/"), key, (policy.control, policy.treatment))
    if split is not None and split.file is not None:
        return SplitFile(Path(split.file), _now)
    return SplitFile(settings.home / "ab" / policy.name / "split.json", _now)


def promotions(policy: AbPolicy, settings: Settings, path: Path) -> PromotionDesk:
    """Who is asked for a promotion, and whether somebody said yes."""
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
