"""The deployment that files for a target's own tools are written of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.rollout.parts import RolloutParts

__all__ = ["exported_deployment"]


def exported_deployment(parts: RolloutParts) -> WantedDeployment:
    """The wanted deployment, with the image that is known of its version where none was named.

    An image that was pushed counts before one that only this machine has, which the target docker alone can use.
    """
    if not parts.target.needs_image or parts.wanted.image is not None:
        return parts.wanted
    known = list(_known_images(parts))
    pushed = [each for each in known if "@sha256:" in each.reference]
    usable = pushed or (known if parts.target.label == "docker" else [])
    return replace(parts.wanted, image=usable[-1]) if usable else parts.wanted


def _known_images(parts: RolloutParts) -> Iterator[Image]:
    """Those that the registry knows of the version, oldest first."""
    for fact in parts.registry.facts(parts.version):
        if fact.kind == "image":
            yield Image(str(fact.value["reference"]), str(fact.value["digest"]), parts.version.label)
