"""The steps of a rollout, the same for every target; each may be killed at any instant and is then done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flowyard._util.moments import moment_text
from flowyard._util.redact import may_be_secret, redact
from flowyard.deploy.endpoint_test.model import EndpointReport, EndpointTest
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.rollout.parts import RolloutParts
from flowyard.errors import ExitCode, NotApproved, OutsideError, UserError
from flowyard.registry.lineage import deployment_fact, image_fact
from flowyard.registry.model import LineageFact, Version
from flowyard.registry.point_alias import point_alias
from flowyard.registry.register_flow import add_facts
from flowyard.steps import Outcome, Step, Work

__all__ = ["ROLLOUT_STEPS", "new_shares", "require_allowed", "restore", "rollout_steps"]


def require_allowed(parts: RolloutParts) -> str:
    """Says why this may be deployed. Raises NotApproved."""
    if parts.was_live:
        return "it served here before and is still there"
    if not parts.environment.needs_approval:
        return f"{parts.environment.name} needs no approval ({parts.environment.where})"
    approval = parts.desk.require_live(parts.subject, parts.version.digest, parts.policy)
    return f"approved until {moment_text(approval.live_until or approval.request.expires_at)} ({approval.request.id})"


def new_shares(parts: RolloutParts, before: Mapping[str, int]) -> dict[str, int]:
    """What each deployment gets afterwards; of several that served before, the one that got most goes on."""
    name, percent = parts.wanted.name, parts.environment.traffic
    others = {other: share for other, share in before.items() if other != name}
    if percent == 100 or not others:
        return {name: 100}
    return {name: percent, max(others, key=lambda other: others[other]): 100 - percent}


def restore(parts: RolloutParts, before: Mapping[str, int], name: str) -> str:
    """What served before gets the requests again, and the deployment goes, if it did not serve; says what was done."""
    endpoint = parts.wanted.endpoint
    state = parts.target.status(endpoint)
    kept = {other: share for other, share in before.items() if state.find(other)}
    if state.shares != kept and sum(kept.values()) in (0, 100):
        parts.target.set_shares(endpoint, kept)
    if name not in kept:
        parts.target.remove(endpoint, name)
    serving = " and ".join(f"{other} ({share} %)" for other, share in kept.items())
    return f"{serving} serves as before" if serving else "nothing serves, as before"


def _allow(parts: RolloutParts, work: Work) -> Outcome:
    """A person's yes; and what served when this began, before anything is changed."""
    if "before" not in work.result("approval"):
        work.note("approval", before=parts.target.status(parts.wanted.endpoint).shares)
    return Outcome({"deployment": parts.wanted.name}, require_allowed(parts))


def _build(parts: RolloutParts, work: Work) -> Outcome:
    del work
    if not parts.target.needs_image:
        return Outcome({}, f"{parts.target.label} runs the files of {parts.version.label}")
    if parts.was_live and (parts.builder is None or parts.wanted.image is not None):
        return Outcome({}, "it is still there, with its image")
    image = parts.wanted.image or _of_what_is_there(parts) or _built(parts)
    looked = _looked_into(parts, image) if parts.wanted.image else ""
    fact = image_fact(reference=image.reference, digest=image.digest, by=parts.by)
    add_facts(parts.registry, parts.version, [fact], parts.registry.facts(parts.version))
    return Outcome(
        {"reference": image.reference, "digest": image.digest}, f"{image.reference} ({image.digest[:19]}){looked}"
    )


def _of_what_is_there(parts: RolloutParts) -> Image | None:
    """The image of the deployment, where it is there already: it would not be made anew for another one."""
    found = parts.target.status(parts.wanted.endpoint).find(parts.wanted.name)
    if found is None or found.state != "ready":
        return None
    ran = [fact.value for fact in _said_of(parts) if fact.value.get("deployment") == parts.wanted.name]
    known = [Image(each["image"], each["image_digest"], parts.version.label) for each in ran if each.get("image")]
    return known[-1] if known else None


def _looked_into(parts: RolloutParts, image: Image) -> str:
    """What is known of an image that was built elsewhere. Raises UserError when it is that of another version."""
    known = {each.version for each in parts.registry.versions(parts.version.name, "flow") if _has(parts, each, image)}
    if known and parts.version.version not in known:
        built_from = f"{parts.version.name}:{min(known)}"
        raise UserError(
            f"{image.reference} is the image of {built_from}, not of {parts.version.label}.",
            hint="Name the image of the version that is deployed: flowyard image build --push says it.",
        )
    if parts.target.look_into_image(replace(parts.wanted, image=image)) or known:
        return ""
    return f"; whoever built it answers for its being {parts.version.label}: nothing here looked into it"


def _has(parts: RolloutParts, version: Version, image: Image) -> bool:
    """Whether the registry knows the image as that of a version."""
    return any(
        fact.kind == "image" and fact.value.get("digest") == image.digest for fact in parts.registry.facts(version)
    )


def _built(parts: RolloutParts) -> Image:
    if parts.builder is None or parts.wanted.folder is None:
        raise UserError(f"The target {parts.target.label} needs an image, and nothing here builds one.")
    return parts.builder.build(parts.version, parts.wanted.folder, parts.repository)


def _create(parts: RolloutParts, work: Work) -> Outcome:
    """The deployment, without requests."""
    try:
        made = parts.target.apply(_wanted(parts, work))
    except OutsideError as error:
        return _undone(parts, work, "create", error.message, ExitCode.OUTSIDE_FAILED)
    return Outcome({"deployment": made.name, "address": made.address}, f"{made.name} is ready and gets no requests yet")


def _test(parts: RolloutParts, work: Work) -> Outcome:
    """The new deployment alone."""
    return _tested(parts, work, "test", parts.wanted.name, parts.environment.test)


def _shift(parts: RolloutParts, work: Work) -> Outcome:
    """All requests, or its share of them; still only what is allowed at this moment."""
    before = _before(work)
    try:
        require_allowed(parts)
    except NotApproved as error:
        return _undone(parts, work, "traffic", error.message, ExitCode.NOT_APPROVED)
    after = new_shares(parts, before)
    work.note("traffic", before=before, after=after)
    parts.target.set_shares(parts.wanted.endpoint, after)
    shown = ", ".join(f"{name} {share} %" for name, share in after.items())
    return Outcome({"before": before, "after": after}, shown)


def _verify(parts: RolloutParts, work: Work) -> Outcome:
    """The endpoint, as everybody reaches it."""
    return _tested(parts, work, "verify", None, replace(parts.environment.test, suite="smoke"))


def _record(parts: RolloutParts, work: Work) -> Outcome:
    """What is known of the version, the alias, and the end of deployments that neither serve nor served last."""
    after: Mapping[str, int] = work.result("traffic")["after"]
    has_all = after == {parts.wanted.name: 100}
    ran = work.result("image")
    fact = deployment_fact(
        environment=parts.environment.name,
        target=parts.target.label,
        endpoint=parts.wanted.endpoint,
        deployment=parts.wanted.name,
        state="live" if has_all else f"gets {after[parts.wanted.name]} %",
        by=parts.by,
        image=(ran.get("reference", ""), ran.get("digest", "")),
    )
    add_facts(parts.registry, parts.version, [fact], _said_of(parts)[-1:])  # deployed there again is said again
    if has_all:
        point_alias(
            parts.registry, parts.version, parts.alias, parts.by, f"rollout {work.record.name}/{work.record.key}"
        )
    removed = _tidied(parts, {*after, *_before(work)})
    said = f"{parts.alias} is {parts.version.label}" if has_all else f"{parts.alias} stays until all requests moved"
    return Outcome({"removed": removed}, said + (f"; removed {', '.join(removed)}" if removed else ""))


_ALL = (
    ("approval", "Require that it is allowed", _allow),
    ("image", "Build the image", _build),
    ("create", "Create the deployment, without requests", _create),
    ("test", "Test the new deployment alone", _test),
    ("traffic", "Shift the requests", _shift),
    ("verify", "Test through the endpoint", _verify),
    ("record", "Write down what serves", _record),
)

ROLLOUT_STEPS = tuple(name for name, _, _ in _ALL)
"""Their names."""


def rollout_steps(parts: RolloutParts) -> tuple[Step, ...]:
    """The steps, with what they work with."""
    return tuple(Step(name, summary, partial(act, parts)) for name, summary, act in _ALL)


def _said_of(parts: RolloutParts) -> list[LineageFact]:
    """What was written down of the version's deployments at the endpoint, oldest first."""
    place = {"environment": parts.environment.name, "target": parts.target.label, "endpoint": parts.wanted.endpoint}
    facts = (each for each in parts.registry.facts(parts.version) if each.kind == "deployment")
    return [each for each in facts if all(each.value.get(key) == value for key, value in place.items())]


def _before(work: Work) -> Mapping[str, int]:
    """The shares when this began."""
    before: Mapping[str, int] = work.result("approval")["before"]
    return before


def _wanted(parts: RolloutParts, work: Work) -> WantedDeployment:
    built = work.result("image")
    if "digest" not in built:
        return parts.wanted
    return replace(parts.wanted, image=Image(built["reference"], built["digest"], parts.version.label))


def _tested(parts: RolloutParts, work: Work, step: str, deployment: str | None, test: EndpointTest) -> Outcome:
    """A test that restores the old state when it fails; also when that was noted, and then we were killed."""
    noted = work.result(step)
    if "problem" in noted:
        return _undone(parts, work, step, noted["problem"], ExitCode(noted["code"]))
    shown = deployment or parts.wanted.endpoint
    with parts.target.reach(parts.wanted.endpoint, deployment) as address:
        report = parts.run_test(address, test, shown)
    work.note(step, **_facts(report))
    if not report.passed:
        code = ExitCode.OUTSIDE_FAILED if report.unreached else ExitCode.FAILED_LINES
        return _undone(parts, work, step, report.why, code)
    p95 = f", p95 {report.latency_ms['p95']:g} ms" if report.latency_ms else ""
    return Outcome({}, f"{len(report.checks)} checks of {shown} passed{p95}")


def _facts(report: EndpointReport) -> dict[str, Any]:
    checks = [{"name": each.name, "state": each.state, "message": each.message} for each in report.checks]
    return {"checks": checks, "latency_ms": dict(report.latency_ms)}


def _undone(parts: RolloutParts, work: Work, step: str, problem: str, code: ExitCode) -> Outcome:
    """Note what went wrong, then restore what was there before.

    The last lines of a log may be part of it, and a flow that fails may have written any of its variables there.
    """
    problem = redact(problem, (value for name, value in parts.wanted.variables.items() if may_be_secret(name)))
    work.note(step, problem=problem, code=int(code))
    done = restore(parts, _before(work), parts.wanted.name)
    return Outcome({"restored": done}, f"{problem.rstrip('.')}; {done}", code)


def _tidied(parts: RolloutParts, kept: set[str]) -> list[str]:
    state = parts.target.status(parts.wanted.endpoint)
    old = [each.name for each in state.deployments if each.name not in kept and not each.traffic]
    for name in old:
        parts.target.remove(parts.wanted.endpoint, name)
    return old
