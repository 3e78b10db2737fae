"""Changing who gets the requests of an endpoint whose platform splits them: written down first, allowed, only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from flowyard.abc import Target, TrafficPlatform
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import ApprovalPolicy, ApprovalSubject
from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.journals import TrafficRecord, give_up_unfinished
from flowyard.deploy.model import EndpointState, Traffic
from flowyard.deploy.rollout.rollout import RolloutLog, require_own
from flowyard.errors import Conflict, ExitCode, NotApproved, UserError
from flowyard.registry import Registry
from flowyard.registry.lineage import deployment_fact
from flowyard.registry.model import Version
from flowyard.registry.point_alias import point_alias
from flowyard.registry.register_flow import add_facts
from flowyard.steps import Outcome, Step, StepRecord, Work, carry_out

__all__ = ["TRAFFIC_STEPS", "TrafficParts", "change_traffic", "require_platform", "wanted_traffic"]


@dataclass(frozen=True, slots=True)
class TrafficParts:
    """``name`` is the use case, ``by`` who changes it. ``policy`` gives the rules of approvals, where any are said."""

    name: str
    environment: DeployEnvironment
    target: Target
    registry: Registry
    desk: ApprovalDesk
    by: str
    log: RolloutLog
    policy: Callable[[], ApprovalPolicy | None]

    @property
    def endpoint(self) -> str:
        """The endpoint's name."""
        return self.environment.endpoint_of(self.name)

    @property
    def alias(self) -> str:
        """The alias of the version that gets all requests of the environment."""
        return f"production@{self.environment.name}"

    @property
    def place(self) -> tuple[str, str, str]:
        """What journals know the endpoint by."""
        return self.name, self.environment.name, self.environment.target


def require_platform(target: Target) -> TrafficPlatform:
    """The target as one whose platform splits. Raises UserError for others."""
    if isinstance(target, TrafficPlatform):
        return target
    raise UserError(
        f"Nothing splits the requests of the target {target.label} but flowyard itself.",
        hint="Put `flowyard gateway` in front of the deployments: it splits, and changes weights at any time.",
    )


def wanted_traffic(
    parts: TrafficParts, shares: Mapping[str, int] | None, mirror: Mapping[str, int] | None
) -> tuple[EndpointState, Traffic]:
    """The endpoint as it is, and its traffic as it should be, by deployment.

    The keys are numbers of versions, or names of deployments. None leaves the shares as they are; copies of requests
    stay with who gets no requests. Raises UserError for shares that do not add up to 100, NotFound for a version that
    is not deployed.
    """
    platform = require_platform(parts.target)
    state = parts.target.status(parts.endpoint)
    require_own(parts.name, parts.name, state)
    now = platform.traffic(parts.endpoint)
    given = now.shares if shares is None else _by_deployment(state, shares)
    if sum(given.values()) != 100 or any(share < 0 for share in given.values()):
        shown = " + ".join(f"{share}" for share in given.values()) or "0"
        raise UserError(f"The shares add up to {sum(given.values())} ({shown}), not to 100.")
    if mirror is None:
        copies = {name: percent for name, percent in now.mirror.items() if not given.get(name)}
    else:
        copies = _by_deployment(state, mirror)
    served = next((name for name, percent in copies.items() if percent and given.get(name)), None)
    if served is not None:
        raise UserError(f"{served} gets requests, so it gets no copies of them.", hint="Mirror to one without a share.")
    wanted = Traffic.of(given, copies)
    platform.require_possible(wanted)
    return state, wanted


def _by_deployment(state: EndpointState, given: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, percent in given.items():
        name = _deployment_of(state, key)
        found[name] = found.get(name, 0) + percent
    return found


def _deployment_of(state: EndpointState, key: str) -> str:
    """The deployment of that name; or the one of that version, of several the one that gets requests."""
    if state.find(key) is not None:
        return key
    same = [each for each in state.deployments if each.version_label.rpartition(":")[2] == key]
    chosen = same if len(same) == 1 else [each for each in same if each.traffic]
    if len(chosen) == 1:
        return chosen[0].name
    if same:
        names = ", ".join(each.name for each in same)
        raise UserError(f"Version {key} is deployed several times: {names}.", hint="Name the deployment instead.")
    known = ", ".join(f"{each.version_label} ({each.name})" for each in state.deployments) or "nothing"
    raise UserError(f"Version {key} is not deployed at {state.endpoint}; deployed is {known}.", hint=_APPLY)


_APPLY = "flowyard deploy apply USECASE --env E --version N, with 'traffic' below 100 in deployment.yaml"


def change_traffic(
    parts: TrafficParts,
    state: EndpointState,
    wanted: Traffic,
    reason: str = "",
    *,
    on_begin: Callable[[Step, int], None] = lambda step, number: None,  # noqa: ARG005
    on_end: Callable[[StepRecord], None] = lambda record: None,  # noqa: ARG005
) -> TrafficRecord:
    """Carry it out, or go on with the same one that was stopped; one to something else is given up.

    Raises NotApproved, and Conflict while somebody else deploys there from this machine, or a rollout was stopped: then
    nothing was changed. What was changed by others meanwhile is the ``refused`` step of the record.
    """
    (name, env, target), log = parts.place, parts.log.traffic
    versions = {"the endpoint": parts.endpoint, "the traffic": str(wanted)}
    with parts.log.alone(name, env):  # the same lock
        before = require_platform(parts.target).traffic(parts.endpoint)
        _require_allowed(parts, state, before, wanted)
        _require_no_rollout(parts, state, before, wanted)
        record = log.unfinished(name, env, target)
        if record is not None and record.versions != versions:
            give_up_unfinished(log, name, env, target, str(wanted))
            record = None
        if record is None:
            record = log.create(name, env=env, target=target, by=parts.by, versions=versions, steps=TRAFFIC_STEPS)
        steps = _steps(parts, wanted, reason)
        return carry_out(record, steps, log, on_begin=on_begin, on_end=on_end)


def _require_no_rollout(parts: TrafficParts, state: EndpointState, before: Traffic, wanted: Traffic) -> None:
    """A rollout that was stopped has plans of its own; requests are only given back to what has all of them else."""
    gains = [_version(parts, state, name) for name in _gaining(before, wanted)]
    serving = parts.registry.aliases(parts.name, "flow").get(parts.alias)
    if parts.log.unfinished(*parts.place) is not None and any(each.version != serving for each in gains):
        raise Conflict(
            f"A rollout of {parts.name} to {parts.environment.name} was stopped half way.",
            hint="Go on with it first: flowyard deploy apply, or undo it: flowyard deploy rollback.",
        )


def _gaining(before: Traffic, wanted: Traffic) -> Sequence[str]:
    """The deployments that get more requests, or more copies of them, than before."""
    more = [name for name, share in wanted.shares.items() if share > before.shares.get(name, 0)]
    return more + [name for name, percent in wanted.mirror.items() if percent > before.mirror.get(name, 0)]


def _require_allowed(parts: TrafficParts, state: EndpointState, before: Traffic, wanted: Traffic) -> str:
    """Only what is ready and approved gets more requests; what has all of them otherwise gets them back without.

    Raises NotApproved, UserError and NotFound.
    """
    serving = parts.registry.aliases(parts.name, "flow").get(parts.alias)
    said = []
    for name in _gaining(before, wanted):
        found = state.find(name)
        if found is None or found.state != "ready":
            why = f"{found.state}. {found.why}" if found else "gone"
            raise UserError(f"The deployment {name} cannot get more requests: it is {why}", hint=_APPLY)
        version = _version(parts, state, name)
        if version.version == serving:
            said.append(f"{version.label} is {parts.alias}")
        elif not parts.environment.needs_approval:
            said.append(f"{version.label} needs no approval ({parts.environment.where})")
        else:
            subject = ApprovalSubject(
                version.name, version.version, version.digest, parts.environment.name, parts.environment.target
            )
            approval = parts.desk.require_live(subject, found.digest, parts.policy())
            said.append(f"{version.label} is approved ({approval.request.id})")
    return "; ".join(said) or "nobody gets more"


def _version(parts: TrafficParts, state: EndpointState, name: str) -> Version:
    found = state.find(name)
    return parts.registry.find(found.version_label if found else name, "flow")


def _allow(parts: TrafficParts, wanted: Traffic, reason: str, work: Work) -> Outcome:
    """Who got what when this began, before anything is changed."""
    platform = require_platform(parts.target)
    if "before" not in work.result("approval"):
        now = platform.traffic(parts.endpoint)
        work.note("approval", before=dict(now.shares), mirror=dict(now.mirror), reason=reason)
    before = _before(work)
    return Outcome({}, _require_allowed(parts, parts.target.status(parts.endpoint), before, wanted))


def _shift(parts: TrafficParts, wanted: Traffic, work: Work) -> Outcome:
    """All at one instant, if nobody else changed it and it is still allowed."""
    platform, before = require_platform(parts.target), _before(work)
    went_on = work.result("traffic").get("after") is not None
    work.note("traffic", before=dict(before.shares), after=dict(wanted.shares), mirror=dict(wanted.mirror))
    try:
        _require_allowed(parts, parts.target.status(parts.endpoint), before, wanted)
        now = platform.traffic(parts.endpoint) if went_on and not platform.changes_at_once else before
        platform.set_traffic(parts.endpoint, wanted, now)
    except NotApproved as error:
        if not went_on:
            work.note("traffic", after=None)  # nobody asked the platform
        said = _given_back(parts, wanted, before) if went_on else ""
        return Outcome({}, f"{error.message}{said}", ExitCode.NOT_APPROVED)
    except Conflict as error:
        return Outcome({}, error.message, ExitCode.OUTSIDE_FAILED)
    return Outcome({}, str(wanted))


def _given_back(parts: TrafficParts, wanted: Traffic, before: Traffic) -> str:
    """Undo what a process did that was killed, where the yes was taken back meanwhile; says what was done."""
    platform = require_platform(parts.target)
    if platform.traffic(parts.endpoint) != wanted:
        return ""
    platform.set_traffic(parts.endpoint, before, wanted)
    return f" {before} again."


def _record(parts: TrafficParts, wanted: Traffic, work: Work) -> Outcome:
    """What is known of the versions, and the alias, when one has all requests."""
    state, before = parts.target.status(parts.endpoint), _before(work)
    for name in sorted({*before.shares, *wanted.shares}):
        share = wanted.shares.get(name, 0)
        if share != before.shares.get(name, 0) and state.find(name) is not None:
            version = _version(parts, state, name)
            fact = deployment_fact(
                environment=parts.environment.name,
                target=parts.target.label,
                endpoint=parts.endpoint,
                deployment=name,
                state="live" if share == 100 else f"gets {share} %",
                by=parts.by,
            )
            add_facts(parts.registry, version, [fact], parts.registry.facts(version))
    all_of_it = next((name for name, share in wanted.shares.items() if share == 100), None)
    if all_of_it is None or state.find(all_of_it) is None:
        return Outcome({}, f"{parts.alias} stays until all requests moved")
    version = _version(parts, state, all_of_it)
    point_alias(parts.registry, version, parts.alias, parts.by, f"traffic {work.record.name}/{work.record.key}")
    return Outcome({}, f"{parts.alias} is {version.label}")


def _before(work: Work) -> Traffic:
    noted = work.result("approval")
    return Traffic(noted["before"], noted["mirror"])


TRAFFIC_STEPS = ("approval", "traffic", "record")
"""Their names; the first two are called as those of a rollout, whose journals are read together with these."""


def _steps(parts: TrafficParts, wanted: Traffic, reason: str) -> tuple[Step, ...]:
    return (
        Step("approval", "Require that it is allowed", partial(_allow, parts, wanted, reason)),
        Step("traffic", "Shift the requests", partial(_shift, parts, wanted)),
        Step("record", "Write down what serves", partial(_record, parts, wanted)),
    )
