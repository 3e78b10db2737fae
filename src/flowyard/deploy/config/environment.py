"""One environment that a use case is deployed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard.deploy.endpoint_test.model import EndpointTest

__all__ = ["DeployEnvironment", "ImageSettings"]


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """How the image of a version is made: pushed to ``repository``, by ``builder``, from ``base``; None is the usual.

    ``repository`` is a name such as ``registry.example/team/shop`` without a tag. ``reference`` is an image that was
    built and pushed elsewhere, by its digest; with it nothing is made, and the others are None.
    """

    repository: str | None = None
    builder: str | None = None
    base: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class DeployEnvironment:
    """``variables`` are as they are written, ``${NAME}`` and all. ``endpoint`` None is the use case with the name.

    ``traffic`` is the percent of the requests that a new deployment gets when it passed its test; what served before
    keeps the rest. ``cpu`` counts cores. ``options`` are those of this kind of target. ``simulate`` has the rules
    of the simulated model, None for real ones. ``where`` is ``file:line``.
    """

    name: str
    target: str
    endpoint: str | None = None
    needs_approval: bool = True
    port: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    connections: tuple[str, ...] = ()
    instances: int = 1
    cpu: float | None = None
    memory_mb: int | None = None
    image: ImageSettings = ImageSettings()
    test: EndpointTest = EndpointTest()
    traffic: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)
    simulate: Path | None = None
    where: str = ""

    def endpoint_of(self, use_case: str) -> str:
        """The endpoint's name, which no other environment of the use case has."""
        return self.endpoint or f"{use_case}-{self.name}".replace("_", "-")[:32].rstrip("-")
