"""The steps of a release, in order; each one is also a command."""

from __future__ import annotations

from functools import partial

from flowyard.release.approval_step import ask_for_approval
from flowyard.release.data_step import register_data
from flowyard.release.deploy_step import build_image, deploy_version, test_and_shift
from flowyard.release.experiment_step import judge, run_experiment
from flowyard.release.parts import ReleaseParts
from flowyard.release.register_step import register_version, take_version
from flowyard.steps import Step

__all__ = ["BEFORE_DEPLOYMENT", "STEPS", "release_steps"]

_VERSION = (("version", "Take the registered version", take_version),)
"""Only where a version is named."""

_MEASURE = (
    ("experiment", "Run the experiment", run_experiment),
    ("gates", "Judge it by its gates", judge),
)

_EVALUATE = (
    ("data", "Register the data", register_data),
    *_MEASURE,
    ("register", "Register the version", register_version),
)

_ALLOW = (("approval", "Ask for approval", ask_for_approval),)

_DEPLOY = (
    ("build", "Have its image", build_image),
    ("deploy", "Create the deployment, without requests", deploy_version),
    ("test", "Test it, and shift the requests", test_and_shift),
)
"""Only where the use case says how it is deployed."""

BEFORE_DEPLOYMENT = tuple(name for name, _, _ in (*_EVALUATE, *_ALLOW))
"""The names of those that every release of files has."""

STEPS = tuple(name for name, _, _ in (*_VERSION, *_EVALUATE, *_ALLOW, *_DEPLOY))
"""Their names."""


def release_steps(parts: ReleaseParts) -> tuple[Step, ...]:
    """The steps, with what they work with."""
    chosen = (
        (*_MEASURE,)
        if not parts.registers
        else (
            *(_VERSION if parts.version is not None else ()),
            *(_EVALUATE if parts.evaluates else ()),
            *_ALLOW,
            *(_DEPLOY if parts.roll_out is not None else ()),
        )
    )
    return tuple(Step(name, summary, partial(act, parts)) for name, summary, act in chosen)
