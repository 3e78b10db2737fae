"""From the words of a command to what a rollout works with."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from flowyard.abc import ImageBuilder
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.open import open_desk
from flowyard.cli.deploy.options import Place
from flowyard.deploy.config.environment import DeployEnvironment, ImageSettings
from flowyard.deploy.endpoint_test.model import EndpointReport, EndpointTest
from flowyard.deploy.image.names import require_reference
from flowyard.deploy.journals import RolloutLog
from flowyard.deploy.model import Address, Image
from flowyard.deploy.options import parse_options
from flowyard.deploy.rollout.parts import RolloutParts
from flowyard.deploy.rollout.rollout import served_before
from flowyard.deploy.rollout.wanted import wanted_deployment
from flowyard.deploy.traffic.change import TrafficParts
from flowyard.errors import OutsideError, UserError
from flowyard.registry import Registry
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry

__all__ = ["chosen_version", "earlier_parts", "rollout_parts", "run_test", "traffic_parts"]


def chosen_version(place: Place, number: int | None) -> Version:
    """The version with that number; else the approved one where an approval is needed; else the newest.

    Raises NotFound.
    """
    registry, name = open_registry(place.app.settings), place.name
    if number is not None:
        return registry.find(f"{name}:{number}", "flow")
    alias = f"approved@{place.environment.name}"
    if place.environment.needs_approval and alias in registry.aliases(name, "flow"):
        return registry.find(f"{name}@{alias}", "flow")
    return registry.find(name, "flow")


def rollout_parts(
    place: Place, version: Version, by: str, image: str | None = None, kept_image: Image | None = None
) -> RolloutParts:
    """All that a rollout of that version works with.

    ``image`` is one that was built elsewhere, by its digest; ``kept_image`` the one that was deployed before.
    Raises UserError for variables that are missing, and for an image that cannot be.
    """
    settings = place.app.settings
    registry = open_registry(settings)
    place = replace(place, environment=_with_image(place, image))
    wanted = wanted_deployment(place.name, registry, version, place.environment, place.app.environ, kept_image)
    return RolloutParts(
        name=place.name,
        environment=place.environment,
        target=place.target,
        version=version,
        wanted=wanted,
        registry=registry,
        desk=open_desk(settings),
        by=by,
        run_test=run_test,
        builder=_builder(place, registry) if place.target.needs_image and wanted.image is None else None,
        repository=place.environment.image.repository
        or parse_options(place.environment.target, place.environment.options).repository(place.name),
        policy=_policy(place, registry) if place.environment.needs_approval else None,
    )


def traffic_parts(place: Place, by: str) -> TrafficParts:
    """All that a change of the traffic works with."""
    settings = place.app.settings
    registry = open_registry(settings)
    return TrafficParts(
        name=place.name,
        environment=place.environment,
        target=place.target,
        registry=registry,
        desk=open_desk(settings),
        by=by,
        log=RolloutLog(settings.home),
        policy=lambda: _policy(place, registry),
    )


def _with_image(place: Place, image: str | None) -> DeployEnvironment:
    """The environment with the image that the command names, as if ``image: {reference: …}`` did."""
    if image is None:
        return place.environment
    if not place.target.needs_image:
        raise UserError(f"The target {place.target.label} runs files, not images.", hint="Leave out --image.")
    return replace(place.environment, image=ImageSettings(reference=require_reference(image)))


def _builder(place: Place, registry: Registry) -> ImageBuilder | None:
    """What makes the image, None where nothing can; the target docker runs docker's, or those of a repository."""
    from flowyard.cli.image.build import builder_for  # noqa: PLC0415 - heavy, and for targets that run images

    wanted = place.environment.image
    name = wanted.builder or ("docker" if place.target.label == "docker" and not wanted.repository else None)
    try:
        return builder_for(place.app.settings, registry, name, wanted.base)
    except OutsideError:
        return None  # a plan and what is built already need none


def _policy(place: Place, registry: Registry) -> ApprovalPolicy | None:
    """What ``experiment.yaml`` says of approvals for that environment; None when the use case has no experiment."""
    from flowyard.cli.approval.policy import policy_at  # noqa: PLC0415 - heavy, and for environments that need it

    folder = place.path if place.path.is_dir() else place.path.parent
    file = folder / "experiment.yaml"
    return policy_at(str(folder), place.environment.name, registry) if file.is_file() else None


def earlier_parts(place: Place, by: str) -> RolloutParts:
    """What a rollback works with: the deployment that served before, as it is when it is still there.

    Raises NotFound when nothing served before.
    """
    state = place.target.status(place.endpoint)
    log = RolloutLog(place.app.settings.home)
    name, label = served_before(log, place.name, place.environment.name, place.environment.target, state)
    environment = replace(place.environment, traffic=100)
    version = open_registry(place.app.settings).find(label, "flow")
    parts = rollout_parts(replace(place, environment=environment), version, by)
    found = state.find(name)
    if found is None or found.state != "ready":
        if environment.image.reference:
            raise UserError(
                f"The deployment of {label} is gone, and {environment.where} names the image of another version.",
                hint=f"flowyard deploy apply USECASE --version {version.version} --env {environment.name} --image …",
            )
        return parts
    return replace(parts, wanted=replace(parts.wanted, name=name), was_live=True)


def run_test(address: Address, test: EndpointTest, shown: str) -> EndpointReport:
    """Carry out the test of an endpoint."""
    from flowyard.deploy.endpoint_test.carry_out import run_endpoint_test  # noqa: PLC0415 - heavy

    return asyncio.run(run_endpoint_test(address, test, shown))
