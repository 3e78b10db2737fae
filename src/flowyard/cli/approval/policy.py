"""The policy of an approval, from the experiment that a command names."""

from __future__ import annotations

from pathlib import Path

from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.policy import read_approval_policy
from flowyard.experiments.load import environment_overlay, load_experiment
from flowyard.registry.registry import Registry

__all__ = ["policy_at"]


def policy_at(path: str, env: str, registry: Registry) -> ApprovalPolicy:
    """The policy of an experiment, by its folder or file, with the overlay of the environment."""
    overlay = environment_overlay(Path(path), env)
    return read_approval_policy(load_experiment(Path(path), overlay, resolve_dataset=registry.resolve))
