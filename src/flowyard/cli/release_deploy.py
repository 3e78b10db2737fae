"""How a release deploys what was approved."""

from __future__ import annotations

from pathlib import Path

from flowyard.cli.deploy_options import Place, open_place
from flowyard.cli.deploy_parts import rollout_parts
from flowyard.cli.release_view import print_end
from flowyard.deploy.config import has_environment
from flowyard.deploy.rollout import RolloutLog, RolloutRecord, roll_out
from flowyard.registry.model import Version

__all__ = ["no_approval", "place_of_release", "roll_out_version"]


def place_of_release(path: Path, env: str, target: str | None, home: str | None, *, deploys: bool) -> Place | None:
    """Where the release is deployed; None when the use case does not say, unless a person insists.

    Raises NotFound when it does not say although a person insists.
    """
    return open_place(path, env, target, home) if deploys or has_environment(path, env) else None


def no_approval(place: Place | None) -> str | None:
    """Where it is written that no approval is needed; None when one is."""
    if place is None or place.environment.needs_approval:
        return None
    return f"{place.environment.where}: approval: not_required"


def roll_out_version(place: Place, by: str, version: Version, until: str | None) -> RolloutRecord:
    """Carry out its rollout, up to a step of it, or to its end."""
    parts = rollout_parts(place, version, by)
    log = RolloutLog(place.app.settings.home)
    return roll_out(parts, log, until=until, on_begin=lambda *_: None, on_end=print_end)
