"""From the words of a command to what a rollout works with."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from flowyard.abc import ImageBuilder
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.open import open_desk
from flowyard.cli.approval_policy import policy_at
from flowyard.cli.deploy_options import Place
from flowyard.cli.image_build import builder_for
from flowyard.deploy.endpoint_test import EndpointReport, EndpointTest, run_endpoint_test
from flowyard.deploy.given_image import GivenImage
from flowyard.deploy.model import Address
from flowyard.deploy.options import parse_options
from flowyard.deploy.parts import RolloutParts
from flowyard.deploy.rollout import RolloutLog, served_before
from flowyard.deploy.wanted import wanted_deployment
from flowyard.errors import OutsideError
from flowyard.registry import Registry
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry

__all__ = ["chosen_version", "earlier_parts", "rollout_parts", "run_test"]


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


def rollout_parts(place: Place, version: Version, by: str, image: str | None = None) -> RolloutParts:
    """All that a rollout of that version works with; ``image`` is one that was built elsewhere.

    Raises UserError for variables that are missing.
    """
    settings = place.app.settings
    registry = open_registry(settings)
    given = GivenImage(image) if image else None
    wanted = wanted_deployment(
        place.name,
        registry,
        version,
        place.environment,
        place.app.environ,
        given.image_of(version.label) if given else None,
    )
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
        builder=given or (_builder(place, registry) if place.target.needs_image else None),
        repository=place.environment.image.repository
        or parse_options(place.environment.target, place.environment.options).repository(place.name),
        policy=_policy(place, registry) if place.environment.needs_approval else None,
    )


def _builder(place: Place, registry: Registry) -> ImageBuilder | None:
    """What makes the image, None where nothing can; the target docker runs docker's, or those of a repository."""
    wanted = place.environment.image
    name = wanted.builder or ("docker" if place.target.label == "docker" and not wanted.repository else None)
    try:
        return builder_for(place.app.settings, registry, name, wanted.base)
    except OutsideError:
        return None  # a plan and what is built already need none


def _policy(place: Place, registry: Registry) -> ApprovalPolicy | None:
    """What ``experiment.yaml`` says of approvals for that environment; None when the use case has no experiment."""
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
        return parts
    return replace(parts, wanted=replace(parts.wanted, name=name), was_live=True)


def run_test(address: Address, test: EndpointTest, shown: str) -> EndpointReport:
    """Carry out the test of an endpoint."""
    return asyncio.run(run_endpoint_test(address, test, shown))
