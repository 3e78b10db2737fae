"""How a release deploys what was approved."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from flowyard.cli.deploy.options import Place, open_place
from flowyard.cli.deploy.parts import rollout_parts
from flowyard.cli.shared.journals import print_end
from flowyard.deploy.config.read import has_environment
from flowyard.deploy.image.names import is_reference, require_image_name
from flowyard.deploy.journals import RolloutLog, RolloutRecord
from flowyard.deploy.model import Image
from flowyard.deploy.rollout.rollout import roll_out
from flowyard.errors import UserError
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
    """Roll out with the very image that the version was deployed with last; nothing is built.

    Raises UserError when it has none that can be taken here.
    """
    if not place.target.needs_image:
        return roll_out_version(place, by, version, until)
    facts = [fact.value for fact in open_registry(place.app.settings).facts(version) if fact.kind == "deployment"]
    ran = next((fact for fact in reversed(facts) if fact.get("image") and fact.get("image_digest")), None)
    if ran is None:
        raise UserError(
            f"{version.label} was never deployed as an image, so there is none to take.",
            hint="Deploy it to an earlier environment first, or leave out --no-build.",
        )
    image = Image(require_image_name(str(ran["image"])), str(ran["image_digest"]), version.label)
    if not is_reference(image.reference) and ran.get("target") != place.environment.target:
        raise UserError(
            f"{image.reference} is in the engine of the target {ran.get('target')} only, "
            f"so {place.environment.target} cannot take it.",
            hint="Push images where all environments find them: image: {repository: …} in deployment.yaml.",
        )
    return roll_out_version(place, by, version, until, image)


def roll_out_version(
    place: Place, by: str, version: Version, until: str | None, image: Image | None = None
) -> RolloutRecord:
    """Carry out its rollout, up to a step of it, or to its end; ``image`` is one that was deployed before."""
    parts = rollout_parts(place, version, by, kept_image=image)
    log = RolloutLog(place.app.settings.home)
    return roll_out(parts, log, until=until, on_begin=lambda *_: None, on_end=partial(_print_end, until))


def _print_end(until: str | None, step: StepRecord) -> None:
    """A step of the rollout ended; what came of the image alone, the release says itself."""
    if not (step.name == until == LAST_OF_BUILD and step.state == "done"):
        print_end(step)
