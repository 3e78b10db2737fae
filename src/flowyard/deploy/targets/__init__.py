"""Where flows are served: each target in a file of its own, found by name."""

from flowyard.deploy.targets.find import TARGETS, open_target

__all__ = ["TARGETS", "open_target"]
