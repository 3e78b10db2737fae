"""How a release deploys what was approved."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from flowyard.cli.deploy.options import Place, open_place
from flowyard.cli.deploy.parts import rollout_parts
from flowyard.cli.shared.journals import print_end
from flowyard.deploy.config.read import has_environment
from flowyard.deploy.image.names import is_reference
from flowyard.deploy.journals import RolloutLog, RolloutRecord
from flowyard.deploy.rollout.rollout import roll_out
from flowyard.errors import Conflict, UserError
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry
from flowyard.release.deploy_step import LAST_OF_BUILD
from flowyard.release.parts import ReleaseParts
from flowyard.steps import StepRecord

__all__ = ["no_approval", "of_version", "place_of_release", "roll_out_version"]


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


def of_version(
    parts: ReleaseParts, named: str, place: Place | None, *, evaluates: bool, no_build: bool
) -> ReleaseParts:
    """The same for a registered version, by its number or an alias. Raises NotFound."""
    name = parts.experiment.name
    version = parts.registry.find(f"{name}:{named}" if named.isdecimal() else f"{name}@{named}", "flow")
    roll_out = partial(_roll_out_again, place, parts.by) if place and no_build else parts.roll_out
    return replace(parts, version=version, evaluates=evaluates, roll_out=roll_out)


def _roll_out_again(place: Place, by: str, version: Version, until: str | None) -> RolloutRecord:
    """Roll out with the very image that the version was deployed with before.

    Raises UserError when it has none, Conflict when the image that is there by now is another one.
    """
    if not place.target.needs_image:
        return roll_out_version(place, by, version, until)
    facts = [fact.value for fact in open_registry(place.app.settings).facts(version) if fact.kind == "image"]
    if not facts:
        raise UserError(
            f"{version.label} was never deployed as an image, so there is none to take.",
            hint="Deploy it to an earlier environment first, or leave out --no-build.",
        )
    reference, digest = str(facts[-1]["reference"]), str(facts[-1]["digest"])
    if is_reference(reference):
        return roll_out_version(place, by, version, until, reference)
    built = roll_out_version(place, by, version, LAST_OF_BUILD).step("image").result.get("digest", digest)
    if {str(fact["digest"]) for fact in facts} != {built}:
        raise Conflict(
            f"The image of {version.label} was built anew ({built[:19]}); {digest[:19]} is what was deployed before.",
            hint="Push it to a repository (image: {repository: …}), so that all environments take the same one.",
        )
    return roll_out_version(place, by, version, until)


def roll_out_version(
    place: Place, by: str, version: Version, until: str | None, image: str | None = None
) -> RolloutRecord:
    """Carry out its rollout, up to a step of it, or to its end; ``image`` is one by its digest that is there."""
    parts = rollout_parts(place, version, by, image)
    log = RolloutLog(place.app.settings.home)
    return roll_out(parts, log, until=until, on_begin=lambda *_: None, on_end=partial(_print_end, until))


def _print_end(until: str | None, step: StepRecord) -> None:
    """A step of the rollout ended; what came of the image alone, the release says itself."""
    if not (step.name == until == LAST_OF_BUILD and step.state == "done"):
        print_end(step)
