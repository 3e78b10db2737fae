"""The approved version is deployed where the use case says: created and tested alone, then it gets the requests."""

from __future__ import annotations

from flowyard.errors import ExitCode, UserError
from flowyard.release.parts import ReleaseParts
from flowyard.release.register_step import registered_version
from flowyard.steps import Outcome, Work

__all__ = ["LAST_OF_BUILD", "build_image", "deploy_version", "test_and_shift"]

LAST_OF_BUILD = "image"
"""The step of a rollout after which there is an image."""
_LAST_OF_DEPLOY = "create"


def build_image(parts: ReleaseParts, work: Work) -> Outcome:
    """The image is there, where the target runs images."""
    return _rolled_out(parts, work, LAST_OF_BUILD, "")


def deploy_version(parts: ReleaseParts, work: Work) -> Outcome:
    """The deployment is there, and gets no requests yet."""
    done = "the deployment can be tested"
    return _rolled_out(parts, work, _LAST_OF_DEPLOY, done)


def test_and_shift(parts: ReleaseParts, work: Work) -> Outcome:
    """The deployment is tested alone, gets its requests, and the endpoint is tested; or all is as before."""
    version = registered_version(parts, work)
    return _rolled_out(parts, work, None, f"{version.label} serves in {work.record.env}")


def _rolled_out(parts: ReleaseParts, work: Work, until: str | None, done: str) -> Outcome:
    """``done`` is what the release says of it: each step of the rollout has told its own."""
    if parts.roll_out is None:
        raise UserError(f"Nothing says how {work.record.name} is deployed to {work.record.env}.")
    record = parts.roll_out(registered_version(parts, work), until)
    image = record.step("image")
    result = {"rollout": f"{record.name}/{record.key}", "endpoint": record.versions["the endpoint"], **image.result}
    refused = next((step for step in record.steps if step.state == "refused"), None)
    if refused is not None:
        problem = refused.said.partition(". ")[0]  # the rollout said all of it
        return Outcome(result, f"{refused.name}: {problem}", ExitCode(refused.exit_code))
    return Outcome(result, done or image.said)
