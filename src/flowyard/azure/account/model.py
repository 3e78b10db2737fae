"""Where flows are to be served, what that takes, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flowyard.azure.arm import arm_path

__all__ = ["Finding", "Needs", "State", "WorkspacePlace"]

State = Literal["ok", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fix`` is what to run or to do; ``is_setting`` when only a setting is missing.

    ``text`` and ``fix`` may name what Azure answered, and never hold a secret.
    """

    what: str
    state: State
    text: str
    fix: str | None = None
    is_setting: bool = False


@dataclass(frozen=True, slots=True)
class WorkspacePlace:
    """A workspace of Azure ML; an empty name where only a resource group is meant."""

    subscription: str
    resource_group: str
    workspace: str

    @property
    def subscription_path(self) -> str:
        return arm_path("subscriptions", self.subscription)

    @property
    def group_path(self) -> str:
        return self.subscription_path + arm_path("resourceGroups", self.resource_group)

    @property
    def path(self) -> str:
        """Its path in the management API."""
        return self.group_path + arm_path(
            "providers", "Microsoft.MachineLearningServices", "workspaces", self.workspace
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """What one environment of a use case takes. ``instance_type`` None where Azure ML runs no machine for it."""

    environment: str
    target: str
    endpoint: str
    instance_type: str | None = None
    instances: int = 1
    connections: tuple[str, ...] = ()
