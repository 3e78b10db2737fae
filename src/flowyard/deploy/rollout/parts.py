"""What the steps of a rollout work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowyard.abc import ImageBuilder, Target
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import ApprovalPolicy, ApprovalSubject
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.endpoint_test.model import EndpointReport, EndpointTest
from flowyard.deploy.model import Address, WantedDeployment
from flowyard.registry.model import Version
from flowyard.registry.registry import Registry

__all__ = ["RolloutParts", "RunTest"]

RunTest = Callable[[Address, EndpointTest, str], EndpointReport]
"""Carries out the test of an endpoint; the text is what the report calls it."""


@dataclass(frozen=True, slots=True)
class RolloutParts:
    """``wanted`` is the deployment of the version, yet without an image. ``builder`` makes images where one is needed,
    and pushes them to ``repository`` if there is one. ``name`` is the use case, ``by`` who deploys.

    ``was_live`` says that the deployment served here before and is still there, which nobody has to allow again.
    An approval has to fulfil ``policy``, too.
    """

    name: str
    environment: DeployEnvironment
    target: Target
    version: Version
    wanted: WantedDeployment
    registry: Registry
    desk: ApprovalDesk
    by: str
    run_test: RunTest
    builder: ImageBuilder | None = None
    repository: str | None = None
    was_live: bool = False
    policy: ApprovalPolicy | None = None

    @property
    def subject(self) -> ApprovalSubject:
        """What a person has to have allowed."""
        version, environment = self.version, self.environment
        return ApprovalSubject(version.name, version.version, version.digest, environment.name, environment.target)

    @property
    def alias(self) -> str:
        """The alias of the version that gets all requests of the environment."""
        return f"production@{self.environment.name}"
