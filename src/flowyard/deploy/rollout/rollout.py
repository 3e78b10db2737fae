"""The order of a deployment, once for every target, written down step by step; killed anywhere, it is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from flowyard.deploy.endpoint_test.files import require_usable
from flowyard.deploy.journals import TrafficLog, give_up_unfinished
from flowyard.deploy.model import Change, DeployPlan, EndpointState
from flowyard.deploy.rollout.parts import RolloutParts
from flowyard.deploy.rollout.steps import ROLLOUT_STEPS, new_shares, require_allowed, restore, rollout_steps
from flowyard.errors import Conflict, ExitCode, NotFound
from flowyard.steps import Journal, Journals, Step, StepRecord, carry_out

__all__ = ["RolloutLog", "RolloutRecord", "plan_rollout", "require_own", "roll_out", "served_before"]


@dataclass(frozen=True, slots=True)
class RolloutRecord(Journal):
    """One rollout: a version on its way to the requests of one endpoint."""


class RolloutLog(Journals[RolloutRecord]):
    """The rollouts of one home: ``<home>/rollouts/<use case>/<key>/rollout.json``."""

    def __init__(self, home: Path) -> None:
        self.traffic = TrafficLog(home)
        """The changes of the traffic of the same home."""
        super().__init__(home / "rollouts", RolloutRecord, "rollout", "flowyard deploy status USECASE --env E")


def plan_rollout(parts: RolloutParts) -> DeployPlan:
    """All that a rollout would change; nothing is changed or built."""
    environment, wanted = parts.environment, parts.wanted
    require_usable(environment.test)
    state = parts.target.status(wanted.endpoint)
    require_own(parts.name, parts.version.name, state)
    changes = list(parts.target.plan(wanted))
    after = new_shares(parts, state.shares)
    if after != state.shares:
        changes.append(Change("traffic", _shares(state.shares), _shares(after)))
    serving = parts.registry.aliases(parts.version.name, "flow").get(parts.alias)
    if after == {wanted.name: 100} and serving != parts.version.version:
        before = f"{parts.version.name}:{serving}" if serving else None
        changes.append(Change(f"alias {parts.alias}", before, parts.version.label))
    kept = {*after, *state.shares}
    changes += [
        Change(f"deployment {each.name}", each.version_label, None)
        for each in state.deployments
        if each.name not in kept
    ]
    warnings = list(parts.target.warnings(wanted))
    if environment.test.file is None:
        warnings.append(f"{environment.where}: no sample request is tested: test: {{file: sample-request.json}}")
    if environment.simulate is not None:
        warnings.append(f"{environment.where}: no model answers here: {environment.simulate.name} simulates it")
    return DeployPlan(
        environment.name, parts.target.label, wanted.endpoint, parts.version.label, tuple(changes), tuple(warnings)
    )


def roll_out(
    parts: RolloutParts,
    log: RolloutLog,
    *,
    until: str | None = None,
    on_begin: Callable[[Step, int], None],
    on_end: Callable[[StepRecord], None],
) -> RolloutRecord:
    """Carry it out, or go on with the one that was stopped; one that was on its way with something else is undone.

    Raises NotApproved, and Conflict while another process deploys this use case to the environment: then nothing was
    changed.
    """
    environment, endpoint = parts.environment, parts.wanted.endpoint
    require_usable(environment.test)
    versions = {"the flow": parts.version.digest, "the deployment": parts.wanted.name, "the endpoint": endpoint}
    with log.alone(parts.name, environment.name):
        require_own(parts.name, parts.version.name, parts.target.status(endpoint))
        record = log.unfinished(parts.name, environment.name, environment.target)
        if record is not None and record.versions != versions:
            _give_up(parts, log, record)
            record = None
        if record is None:
            require_allowed(parts)
            give_up_unfinished(
                log.traffic, parts.name, environment.name, environment.target, f"the rollout of {parts.version.label}"
            )
            record = log.create(
                parts.name,
                env=environment.name,
                target=environment.target,
                by=parts.by,
                versions=versions,
                steps=ROLLOUT_STEPS,
            )
        return carry_out(record, rollout_steps(parts), log, until=until, on_begin=on_begin, on_end=on_end)


def served_before(log: RolloutLog, name: str, env: str, target: str, state: EndpointState) -> tuple[str, str]:
    """The deployment that served before those that serve now, with its version's label. Raises NotFound.

    While a rollout is not finished, this is the one that it goes back to; of one that goes to something new, the
    one that it takes the requests from.
    """
    labels = {each.name: each.version_label for each in state.deployments}
    going = log.unfinished(name, env, target)
    stopped = _before_stopped(log, going, state) if going is not None else None
    if stopped is not None:
        return stopped, labels.get(stopped, _label(name, stopped))
    changes: list[Journal] = sorted([*log.list(name), *log.traffic.list(name)], key=lambda each: each.key, reverse=True)
    for record in changes:
        if (record.env, record.target) != (env, target) or record.state != "done":
            continue
        traffic = record.step("traffic").result
        older = {each: share for each, share in traffic["before"].items() if each not in state.shares}
        if set(traffic["after"]) & set(state.shares) and older:
            found = max(older, key=lambda each: older[each])
            return found, labels.get(found, _label(name, found))
    raise NotFound(
        f"Nothing is known to have served {name} in {env} before.",
        hint="Deploy a version by its number: flowyard deploy apply USECASE --env E --version N",
    )


def _before_stopped(log: RolloutLog, going: RolloutRecord, state: EndpointState) -> str | None:
    """What a rollback means that is given while a rollout was stopped; None when it had changed no shares."""
    wanted = going.versions["the deployment"]
    before: dict[str, int] = going.step("approval").result.get("before") or {}
    older = {each: share for each, share in before.items() if each != wanted}
    if wanted not in state.shares or not older:
        return None
    done = [each.step("traffic").result for each in log.list(going.name) if _is_done_there(each, going)]
    was_there = any(wanted in each["before"] or wanted in each["after"] for each in done)
    return wanted if was_there else max(older, key=lambda each: older[each])


def _is_done_there(record: RolloutRecord, going: RolloutRecord) -> bool:
    return record.state == "done" and (record.env, record.target) == (going.env, going.target)


def _label(name: str, deployment: str) -> str:
    """The version that a deployment is called after."""
    return f"{name}:{deployment[1:].partition('-')[0]}"


def require_own(name: str, flow: str, state: EndpointState) -> None:
    """Raises Conflict when the endpoint has deployments of another use case."""
    for each in state.deployments:
        if each.version_label.partition(":")[0] != flow:
            raise Conflict(
                f"The endpoint {state.endpoint} serves {each.version_label}, which is not of {name}.",
                hint="Give each use case an endpoint of its own: 'endpoint' in deployment.yaml.",
            )


def _give_up(parts: RolloutParts, log: RolloutLog, record: RolloutRecord) -> None:
    """Undo a rollout of something else that was stopped half way, and say so in its journal."""
    before = record.step("approval").result.get("before")
    if before is not None:  # deployment.yaml may have named another endpoint then
        there = replace(parts, wanted=replace(parts.wanted, endpoint=record.versions["the endpoint"]))
        restore(there, before, record.versions["the deployment"])
    waiting = next(step for step in record.steps if step.state != "done")
    said = f"given up for {parts.version.label}, and undone"
    log.save(record.with_step(waiting.name, state="refused", said=said, exit_code=int(ExitCode.OUTSIDE_FAILED)))


def _shares(shares: dict[str, int]) -> str | None:
    return ", ".join(f"{name} {share} %" for name, share in shares.items()) or None
