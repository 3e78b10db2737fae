"""``flowyard release run``"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.app import App, open_app
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import Approval
from flowyard.approval.open import open_desk
from flowyard.approval.policy import read_approval_policy
from flowyard.cli.approval.notices import tell_people
from flowyard.cli.approval.wait import watch
from flowyard.cli.deploy.options import Place
from flowyard.cli.experiment.end import run_and_decide
from flowyard.cli.experiment.load import planned_experiment
from flowyard.cli.experiment.options import SpaceOptions, space_options
from flowyard.cli.release.deploy import no_approval, of_version, place_of_release, roll_out_version
from flowyard.cli.release.view import print_begin, release_view, warn_of_damaged
from flowyard.cli.shared.journals import print_end, print_step
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.track_option import publish_at_the_end
from flowyard.decisions.policy import DecisionPolicy
from flowyard.decisions.versions import match_versions
from flowyard.errors import ExitCode, UserError
from flowyard.experiments.load import environment_overlay
from flowyard.experiments.plan import ExperimentPlan, PlannedRun
from flowyard.experiments.resume import execution_request
from flowyard.records import ExperimentRecord
from flowyard.registry.labels import require_alias
from flowyard.registry.open import open_registry
from flowyard.release import ReleaseLog, ReleaseRecord
from flowyard.release.parts import OnBegin, ReleaseParts
from flowyard.release.steps import BEFORE_DEPLOYMENT, STEPS, release_steps
from flowyard.steps import Step, carry_out

__all__ = ["run"]


@click.command()
@click.argument("path", metavar="USECASE")
@click.option("--env", required=True, metavar="NAME", help="Where it is to go; the overlay experiment.NAME.yaml holds.")
@click.option(
    "--target", metavar="NAME", help="What it is deployed to there (default: what deployment.yaml says, or local)."
)
@click.option(
    "--deploy", "deploys", is_flag=True, help="Insist on deploying; done anyway where deployment.yaml has it."
)
@click.option(
    "--ship", metavar="LABEL", help="The variant that would be deployed (default: 'ships', else the flow as it is)."
)
@click.option(
    "--version",
    "named",
    metavar="NUMBER|ALIAS",
    help="Release this registered version, such as 3 or production@dev, and register nothing.",
)
@click.option(
    "--evaluate",
    "evaluates",
    is_flag=True,
    help="With --version: run the experiment; the files must be its own.",
)
@click.option("--no-build", is_flag=True, help="With --version: take the image that it was deployed with before.")
@click.option("--no-register", is_flag=True, help="Only run and judge the experiment: nothing is registered.")
@click.option("--until", type=click.Choice(STEPS), help="Stop after this step; the same command goes on.")
@click.option("--no-wait", is_flag=True, help="Ask for approval, but do not wait; the same command goes on.")
@click.option("--new", is_flag=True, help="Begin anew, although an earlier release did not get to its end.")
@click.option("--by", metavar="NAME", help="Who releases (default: who the pipeline or the account says).")
@space_options
@many_lines_options
@running_options
def run(
    path: str,
    env: str,
    target: str | None,
    deploys: bool,
    ship: str | None,
    named: str | None,
    evaluates: bool,
    no_build: bool,
    no_register: bool,
    until: str | None,
    no_wait: bool,
    new: bool,
    by: str | None,
    space: SpaceOptions,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Register the data, run the experiment, judge it, register the version, ask for approval, and deploy it.

    USECASE is a folder with experiment.yaml, or the file. When it is stopped, at any step, the same command goes on.
    It is deployed, and tested there, when deployment.yaml has the environment. Exits 3 when a gate says no, 4 when the
    version is not approved, 1 or 5 when it is not deployed.
    """
    require_alias(f"approved@{env}")
    if named is not None and no_register:
        raise UserError("--version is registered already, so that --no-register means nothing.")
    if named is None and (evaluates or no_build):
        raise UserError("--evaluate and --no-build need --version.", hint="A release of files is evaluated anyway.")
    app = open_app(read_settings(home, env_file, simulate), Path(path))
    plan, policy = planned_experiment(
        Path(path),
        environment_overlay(Path(path), env),
        app,
        many,
        variants=space.variants,
        parameters=space.parameters,
        gates=True,
    )
    policy = replace(policy, ships=ship or policy.ships)
    print_warnings(plan.warnings)
    person = by or person_name(app.environ)
    place = place_of_release(Path(path), env, target, home, deploys=deploys)
    parts = _parts(plan, policy, app, many, place, person, waits=not no_wait)
    parts = replace(parts, registers=not no_register)
    if named is not None:
        parts = of_version(parts, named, place, evaluates=evaluates, no_build=no_build)
    steps = release_steps(parts)
    _require_step(until, steps)
    log = ReleaseLog(app.settings.home)
    warn_of_damaged(log, plan.experiment.name)
    with log.alone(plan.experiment.name, env):
        to = place.environment.target if place else target or "local"
        record = _begun(log, parts, env, to, [step.name for step in steps], new=new)
        print_begin(record, len(steps))
        record = carry_out(record, steps, log, until=until, on_begin=print_step, on_end=print_end)
    if as_json:
        print_json(release_view(record))
    elif place and record.state == "done" and (address := place.target.status(place.endpoint).address):
        click.echo(f"{address}/score")
    return _code(record, until)


def _parts(
    plan: ExperimentPlan,
    policy: DecisionPolicy,
    app: App,
    many: ManyLines,
    place: Place | None,
    person: str,
    *,
    waits: bool,
) -> ReleaseParts:
    """What the steps work with. Raises UserError when what would be deployed is not among what runs."""
    desk = open_desk(app.settings)
    return ReleaseParts(
        experiment=plan.experiment,
        plan=plan,
        ships=_shipped(plan, policy.ships),
        inconclusive_passes=policy.inconclusive == "pass",
        approval=read_approval_policy(plan.experiment),
        store=app.store,
        registry=open_registry(app.settings),
        desk=desk,
        by=person,
        run_experiment=partial(_run_experiment, plan, policy, app, many),
        announce=lambda asked: _announce(app, desk, asked),
        wait=(lambda asked: watch(desk, asked.request.id)) if waits else None,
        no_approval=no_approval(place),
        roll_out=partial(roll_out_version, place, person) if place else None,
    )


def _require_step(until: str | None, steps: Sequence[Step]) -> None:
    """Raises UserError for a step that this release does not have; it would go on to its end."""
    names = [step.name for step in steps]
    if until is not None and until not in names:
        hint = f"It has: {known_names(names)}. It is deployed where deployment.yaml has the environment."
        raise UserError(f"This release has no step {until!r}.", hint=hint)


def _shipped(plan: ExperimentPlan, wanted: str | None) -> PlannedRun:
    """The planned run of the version that would be deployed. Raises UserError when it is not among those that run."""
    by_label = {each.label: each for each in plan.runs}
    if wanted is None:
        found = next((each for each in plan.runs if not each.selected and not each.parameters), None)
        if found is None:
            hint = f"Run it too, or choose one of: {known_names(by_label)}: --ship LABEL"
            raise UserError(
                "The experiment does not run the flow as its files are, which would be deployed.", hint=hint
            )
        return found
    fitting = match_versions(wanted, tuple(by_label))
    if len(fitting) != 1:
        hint = did_you_mean(wanted, by_label) or f"It runs: {known_names(by_label)}."
        raise UserError(f"{wanted!r} does not name one variant that the experiment runs.", hint=hint)
    return by_label[fitting[0]]


def _begun(
    log: ReleaseLog, parts: ReleaseParts, env: str, target: str, steps: Sequence[str], *, new: bool
) -> ReleaseRecord:
    """The release that was stopped, if nothing that it is made from has changed since; else a new one."""
    versions = {**execution_request(parts.plan)["versions"], "what ships": parts.ships.label} if parts.evaluates else {}
    if parts.version is not None:
        versions["the version"] = f"{parts.version.label} {parts.version.digest}"
    if tuple(steps) != BEFORE_DEPLOYMENT:
        versions["the steps"] = " ".join(steps)
    name = parts.experiment.name
    earlier = None if new else log.unfinished(name, env, target)
    if earlier is not None and (earlier.steps[0].name == "version") == (parts.version is not None):
        changed = [
            what for what in {**earlier.versions, **versions} if earlier.versions.get(what) != versions.get(what)
        ]
        if not changed:
            return earlier
        print_warnings([f"Release {name}/{earlier.key} is left as it is, because this changed: {', '.join(changed)}."])
    return log.create(name, env=env, target=target, by=parts.by, versions=versions, steps=steps)


def _run_experiment(
    plan: ExperimentPlan,
    policy: DecisionPolicy,
    app: App,
    many: ManyLines,
    earlier: ExperimentRecord | None,
    on_begin: OnBegin,
) -> ExperimentRecord:
    record = run_and_decide(plan, policy, app, many, earlier=earlier, on_begin=on_begin).record
    if record.is_finished and app.settings.tracking:
        publish_at_the_end(record, app.settings.tracking, app)
    return record


def _announce(app: App, desk: ApprovalDesk, asked: Approval) -> None:
    id_ = asked.request.id
    click.echo(f"      Answer with: flowyard approval approve {id_} --reason … (or reject)", err=True)
    tell_people(app.settings, desk, asked.request)


def _code(record: ReleaseRecord, until: str | None) -> int:
    """The code of the no, if there was one; 4 while an approval is waited for; 1 when the experiment is not done."""
    if record.state != "unfinished" or (until is not None and record.step(until).state == "done"):
        return record.exit_code
    waiting = next(step for step in record.steps if step.state != "done")
    return ExitCode.NOT_APPROVED if waiting.name == "approval" else ExitCode.FAILED_LINES
