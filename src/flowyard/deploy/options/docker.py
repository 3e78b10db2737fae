"""Options of the target ``docker``."""

from __future__ import annotations

from typing import Literal

from flowyard.deploy.options.model import TargetOptions

__all__ = ["DockerOptions"]


class DockerOptions(TargetOptions):
    """``network: host`` runs containers in the machine's own network, for engines without a bridge."""

    network: Literal["bridge", "host"] = "bridge"
