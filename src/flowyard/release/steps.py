"""The steps of a release, in order; each one is also a command."""

from __future__ import annotations

from functools import partial

from flowyard.release.approval_step import ask_for_approval
from flowyard.release.data_step import register_data
from flowyard.release.experiment_step import judge, run_experiment
from flowyard.release.parts import ReleaseParts
from flowyard.release.register_step import register_version
from flowyard.steps import Step

__all__ = ["STEPS", "release_steps"]

_ALL = (
    ("data", "Register the data", register_data),
    ("experiment", "Run the experiment", run_experiment),
    ("gates", "Judge it by its gates", judge),
    ("register", "Register the version", register_version),
    ("approval", "Ask for approval", ask_for_approval),
)

STEPS = tuple(name for name, _, _ in _ALL)
"""Their names."""


def release_steps(parts: ReleaseParts) -> tuple[Step, ...]:
    """The steps, with what they work with."""
    return tuple(Step(name, summary, partial(act, parts)) for name, summary, act in _ALL)
