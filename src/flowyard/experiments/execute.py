"""Running what was planned, in order: each run, then its evaluations."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from flowyard.abc import Store
from flowyard.decisions.policy import DecisionPolicy, Racing
from flowyard.errors import NotFound, UserError
from flowyard.evaluation import evaluate
from flowyard.evaluation.subjects import EvaluatorSubject
from flowyard.experiments.comparison import compare_variants, require_baselines
from flowyard.experiments.evaluator_flow import evaluator_subject
from flowyard.experiments.mappings import require_mappings
from flowyard.experiments.model import EvaluatorDataset, Experiment, ExperimentDataset
from flowyard.experiments.plan import ExperimentPlan, PlannedRun
from flowyard.experiments.policy import policy_values, read_policy, read_racing
from flowyard.experiments.racing import Race, by_dataset
from flowyard.experiments.resume import execution_request, held_execution
from flowyard.experiments.space.selections import KeptFlows
from flowyard.flows import Flow
from flowyard.flows.parameters import apply_parameters
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts, RunRequest, execute_run, resume_run, session_request
from flowyard.sessions.forked import forked_workers
from flowyard.sessions.kept import KeptSessions

__all__ = ["execute_experiment"]

_LONGEST_NAME = 150
_PREPARED_AT_ONCE = 2


async def execute_experiment(
    plan: ExperimentPlan,
    parts: RunParts,
    *,
    options: RunOptions | None = None,
    earlier: ExperimentRecord | None = None,
    on_begin: Callable[[ExperimentRecord], None] | None = None,
) -> ExperimentRecord:
    """Run the plan and store the result under a key of its own. Raises before the first run if something is missing.

    It decides nothing: ``decide`` does, from the stored record.

    When the budget of the parts is used up, no further run is made. ``earlier`` is an execution of the same plan that
    was interrupted: it goes on under its key, and only what it has no result of is run. ``on_begin`` gets the record
    before the first run. Raises Conflict while another process carries ``earlier`` out.
    """
    with forked_workers():
        kept = KeptSessions(parts.open_session)
        try:
            return await _execute(plan, replace(parts, open_session=kept), options or RunOptions(), earlier, on_begin)
        finally:
            await kept.close()


async def _execute(
    plan: ExperimentPlan,
    parts: RunParts,
    options: RunOptions,
    earlier: ExperimentRecord | None,
    on_begin: Callable[[ExperimentRecord], None] | None,
) -> ExperimentRecord:
    policy = read_policy(plan.experiment)
    require_baselines(policy, parts.store)
    flows = PlannedFlows(plan.experiment)
    await _require_runnable(plan, parts, options, flows)
    execution = Execution(plan, parts, parts.store, options, flows, earlier)
    with held_execution(plan.experiment.name, execution.path):
        begun = execution.record()
        if on_begin is not None:
            on_begin(begun)
        try:
            await _carry_out(execution, policy, read_racing(plan.experiment))
            execution.is_finished = not execution.is_stopped
        finally:
            record = execution.record()  # what was paid for is kept, also when the rest is not run
    return record


async def _carry_out(execution: Execution, policy: DecisionPolicy, racing: Racing | None) -> None:
    budget = execution.parts.budget
    if racing is not None:
        for planned in by_dataset(execution.plan.runs):
            race = Race(planned, racing, policy, execution.defaults)
            execution.races.append(race)
            await race.go(
                execution.run,
                lambda: compare_variants(execution.record()),
                lambda: execution.stops(budget.is_over),
                execution.begun_lines,
            )
        return
    for each in execution.plan.runs:
        if not execution.stops(budget.is_over):
            await execution.run(each)


class PlannedFlows:
    """The flows of one execution, each read once: all its runs are of the files as they were when it began."""

    def __init__(self, experiment: Experiment) -> None:
        self._read = KeptFlows(experiment.flow)
        self._subjects = {each.name: evaluator_subject(each) for each in experiment.evaluators}

    def version(self, planned: PlannedRun) -> Flow:
        """The experiment's flow with the run's variants; parameters are not applied yet."""
        return self._read(planned.selected)

    def subject(self, evaluator: str) -> EvaluatorSubject:
        """What judges, by the evaluator's name."""
        return self._subjects[evaluator]

    @property
    def evaluators(self) -> dict[str, Flow]:
        """The flows that judge by the names of evaluators."""
        return {name: subject.flow for name, subject in self._subjects.items()}


async def _require_runnable(
    plan: ExperimentPlan, parts: RunParts, options: RunOptions, planned_flows: PlannedFlows
) -> None:
    """Prepare every flow once, so that a missing connection of the last evaluator stops the first run.

    Mappings are checked again, now that flows whose inputs only their code declares are known.
    """
    experiment = plan.experiment
    wanted = {run.label: run for run in plan.runs}
    evaluators = planned_flows.evaluators
    used = sorted({each.evaluator.name for run in plan.runs for each in run.evaluations})
    gate = asyncio.Semaphore(_PREPARED_AT_ONCE)
    versions = [apply_parameters(planned_flows.version(run), run.parameters) for run in wanted.values()]
    preparing = [*versions, *(evaluators[name] for name in used)]
    prepared = await asyncio.gather(*(_prepared(flow, parts, options, gate) for flow in preparing))
    ready, evaluators = prepared[: len(wanted)], evaluators | dict(zip(used, prepared[len(wanted) :], strict=True))
    for flow in ready:
        require_mappings(experiment, flow, evaluators, [])


async def _prepared(flow: Flow, parts: RunParts, options: RunOptions, gate: asyncio.Semaphore) -> Flow:
    """The flow with all that its code declares. Raises what makes it impossible to run."""
    async with gate:
        session = parts.open_session(session_request(flow, parts, options))
        try:
            return await session.ready()
        finally:
            await session.close()  # it waits for the flow's first run


class Execution:
    """Carries out planned runs, whole or some lines at a time, and collects their records."""

    def __init__(
        self,
        plan: ExperimentPlan,
        parts: RunParts,
        store: Store,
        options: RunOptions,
        flows: PlannedFlows,
        earlier: ExperimentRecord | None = None,
    ) -> None:
        self.plan = plan
        self.flows = flows
        self.parts = parts
        self.store = store
        self.options = options
        now = datetime.now(UTC)
        self.created_at = earlier.created_at if earlier else now.isoformat()
        self.earlier_s = earlier.duration_s if earlier else 0.0
        self.started = time.perf_counter()
        self.key = earlier.key if earlier else now.strftime("%Y%m%d_%H%M%S_%f")
        self.is_resumed = earlier is not None
        self.is_finished = self.is_stopped = False
        self.request = {**(earlier.request if earlier else {}), **execution_request(plan)}
        self.stem = re.sub(r"[^A-Za-z0-9._-]", "_", plan.experiment.name)
        if not re.match(r"[A-Za-z0-9]", self.stem):
            raise UserError(f"{plan.experiment.name!r} cannot be an experiment's name.", hint="Start it with a letter.")
        self.path = earlier.path if earlier else store.create_experiment_folder(self.stem, self.key)
        self.runs: dict[str, RunRecord] = {}
        self.variants: dict[str, dict[str, str]] = {}
        self.labels: dict[str, str] = {}
        self.evaluations: dict[str, tuple[str, str]] = {}
        self.races: list[Race] = []

    async def run(self, planned: PlannedRun, lines: frozenset[int] | None = None) -> RunRecord:
        """Run a planned run and its evaluations; of ``lines`` those that it has not run yet."""
        name = self._run_name(planned)
        request = RunRequest(
            flow=self.flows.version(planned),
            data=planned.dataset.source,
            column_mapping=planned.dataset.mappings,
            variant=planned.selected,
            parameters=planned.parameters,
            name=name,
            dataset=planned.dataset.name,
            role="variant",
            options=self.options,
            properties=_registered(planned.dataset),
            lines=lines,
        )
        stored = self._stored(name)
        if name in self.runs:
            run = await resume_run(name, request, self.parts, more_lines=True)
        elif stored is not None:  # whether anything changed was looked at for the whole experiment
            run = await resume_run(name, request, self.parts, anyway=True)
        else:
            run = await execute_run(request, self.parts)
        self.runs[name] = run
        self.variants[name] = dict(planned.assignment)
        self.labels[name] = planned.label
        self.stops(run.status == "canceled")
        if run.lines.completed and run.status == "completed":
            await self._evaluate(planned, run)
        self.record()  # a killed experiment keeps what was paid for
        return run

    async def _evaluate(self, planned: PlannedRun, run: RunRecord) -> None:
        for each in planned.evaluations:
            name = self._run_name(planned, each.evaluator.name, each.dataset.name)
            stored = self._stored(name)
            if stored is not None and _has_judged(stored, run):
                self.runs[name] = stored
                self.evaluations[name] = (each.evaluator.name, run.name)
                continue
            if self.stops(self.parts.budget.is_over):
                return
            subject = self.flows.subject(each.evaluator.name)
            self.runs[name] = await evaluate(
                run,
                subject.flow,
                each.dataset.source,
                each.dataset.mappings,
                self.parts,
                name=name,
                options=self.options,
                properties={**subject.properties, **_registered(each.dataset)},
                earlier=name if name in self.runs or stored is not None else None,
            )
            self.evaluations[name] = (each.evaluator.name, run.name)
            self.stops(self.runs[name].status == "canceled")

    def stops(self, now: bool) -> bool:
        """The same answer; once it is yes, something that was planned is left to run."""
        self.is_stopped = self.is_stopped or now
        return now

    def begun_lines(self, planned: PlannedRun) -> int:
        """How many lines the run was to have when the execution was interrupted; 0 for none."""
        stored = self._stored(self._run_name(planned))
        return stored.lines.total if stored else 0

    def _stored(self, name: str) -> RunRecord | None:
        """The run as an earlier process left it."""
        if not self.is_resumed:
            return None
        try:
            return self.store.get_run(name)
        except NotFound:
            return None

    def _run_name(self, planned: PlannedRun, *evaluation: str) -> str:
        """A readable name; where letters had to be replaced or cut, a digest keeps different runs apart."""
        selection = [f"{node}.{variant}" for node, variant in planned.assignment.items()]
        selection = [planned.label] if planned.parameters else selection
        parts = [self.plan.experiment.name, planned.dataset.name, *(selection or ["run"]), *evaluation]
        readable = re.sub(r"[^A-Za-z0-9._-]", "_", "_".join(parts))
        if readable != "_".join(parts) or len(readable) > _LONGEST_NAME:
            digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
            readable = f"{readable[:_LONGEST_NAME]}_{digest}"
        return f"{readable}_{self.key}"

    @property
    def defaults(self) -> str | None:
        """The label of what is run without any selection, which is what would ship."""
        plain = (planned.label for planned in self.plan.runs if not planned.selected and not planned.parameters)
        return next(plain, None)

    def record(self) -> ExperimentRecord:
        """What was run so far, stored."""
        record = ExperimentRecord(
            name=self.plan.experiment.name,
            key=self.key,
            path=self.path,
            created_at=self.created_at,
            env=self.plan.experiment.env,
            runs=tuple(self.runs.values()),
            variants=self.variants,
            evaluations=self.evaluations,
            duration_s=self.earlier_s + time.perf_counter() - self.started,
            labels=self.labels,
            defaults=self.defaults,
            races=tuple(race.view() for race in self.races),
            policy=policy_values(self.plan.experiment),
            is_finished=self.is_finished,
            request=self.request,
        )
        self.store.save_experiment(record)
        return record


def _has_judged(evaluation: RunRecord, run: RunRecord) -> bool:
    """Whether an evaluation that was found in the store is whole, and of the run as it is now."""
    return evaluation.status == "completed" and (evaluation.ended_at or "") >= (run.ended_at or "~")


def _registered(dataset: ExperimentDataset | EvaluatorDataset) -> dict[str, str]:
    """What the record of a run says of registered data."""
    return {"registered_dataset": dataset.registered} if dataset.registered else {}
