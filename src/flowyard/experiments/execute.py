"""Running what was planned, in order: each run, then its evaluations."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

from flowyard.abc import Store
from flowyard.decisions.policy import DecisionPolicy, Racing
from flowyard.errors import UserError
from flowyard.evaluation import evaluate
from flowyard.experiments.comparison import compare_variants, require_baselines
from flowyard.experiments.evaluator_flow import evaluator_subject, load_evaluator
from flowyard.experiments.mappings import require_mappings
from flowyard.experiments.model import EvaluatorDataset, ExperimentDataset
from flowyard.experiments.plan import ExperimentPlan, PlannedRun
from flowyard.experiments.policy import policy_values, read_policy, read_racing
from flowyard.experiments.racing import Race, by_dataset
from flowyard.flows import Flow
from flowyard.flows.load import load_flow
from flowyard.flows.parameters import apply_parameters
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts, RunRequest, execute_run, resume_run, session_request
from flowyard.sessions.kept import KeptSessions

__all__ = ["execute_experiment"]

_LONGEST_NAME = 150
_PREPARED_AT_ONCE = 2


async def execute_experiment(
    plan: ExperimentPlan, parts: RunParts, *, options: RunOptions | None = None
) -> ExperimentRecord:
    """Run the plan and store the result under a key of its own. Raises before the first run if something is missing.

    It decides nothing: ``decide`` does, from the stored record.

    When the budget of the parts is used up, no further run is made.
    """
    kept = KeptSessions(parts.open_session)
    parts = replace(parts, open_session=kept)
    options = options or RunOptions()
    try:
        policy = read_policy(plan.experiment)
        require_baselines(policy, parts.store)
        await _require_runnable(plan, parts, options)
        execution = Execution(plan, parts, parts.store, options)
        try:
            await _carry_out(execution, policy, read_racing(plan.experiment))
        finally:
            record = execution.record()  # what was paid for is kept, also when the rest is not run
    finally:
        await kept.close()
    return record


async def _carry_out(execution: Execution, policy: DecisionPolicy, racing: Racing | None) -> None:
    budget = execution.parts.budget
    if racing is not None:
        for planned in by_dataset(execution.plan.runs):
            race = Race(planned, racing, policy, execution.defaults)
            execution.races.append(race)
            await race.go(execution.run, lambda: compare_variants(execution.record()), lambda: budget.is_over)
        return
    for each in execution.plan.runs:
        if not budget.is_over:
            await execution.run(each)


async def _require_runnable(plan: ExperimentPlan, parts: RunParts, options: RunOptions) -> None:
    """Prepare every flow once, so that a missing connection of the last evaluator stops the first run.

    Mappings are checked again, now that flows whose inputs only their code declares are known.
    """
    experiment = plan.experiment
    wanted = {run.label: run for run in plan.runs}
    evaluators = {each.name: load_evaluator(each) for each in experiment.evaluators}
    used = sorted({each.evaluator.name for run in plan.runs for each in run.evaluations})
    gate = asyncio.Semaphore(_PREPARED_AT_ONCE)
    versions = [apply_parameters(load_flow(experiment.flow, run.selected), run.parameters) for run in wanted.values()]
    preparing = [*versions, *(evaluators[name] for name in used)]
    prepared = await asyncio.gather(*(_prepared(flow, parts, options, gate) for flow in preparing))
    flows, evaluators = prepared[: len(wanted)], evaluators | dict(zip(used, prepared[len(wanted) :], strict=True))
    for flow in flows:
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

    def __init__(self, plan: ExperimentPlan, parts: RunParts, store: Store, options: RunOptions) -> None:
        self.plan = plan
        self.parts = parts
        self.store = store
        self.options = options
        self.created = datetime.now(UTC)
        self.started = time.perf_counter()
        self.key = self.created.strftime("%Y%m%d_%H%M%S_%f")
        self.stem = re.sub(r"[^A-Za-z0-9._-]", "_", plan.experiment.name)
        if not re.match(r"[A-Za-z0-9]", self.stem):
            raise UserError(f"{plan.experiment.name!r} cannot be an experiment's name.", hint="Start it with a letter.")
        self.path = store.create_experiment_folder(self.stem, self.key)
        self.runs: dict[str, RunRecord] = {}
        self.variants: dict[str, dict[str, str]] = {}
        self.labels: dict[str, str] = {}
        self.evaluations: dict[str, tuple[str, str]] = {}
        self.races: list[Race] = []

    async def run(self, planned: PlannedRun, lines: frozenset[int] | None = None) -> RunRecord:
        """Run a planned run and its evaluations; of ``lines`` those that it has not run yet."""
        name = self._run_name(planned)
        request = RunRequest(
            flow=self.plan.experiment.flow,
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
        if name in self.runs:
            run = await resume_run(name, request, self.parts, more_lines=True)
        else:
            run = await execute_run(request, self.parts)
        self.runs[name] = run
        self.variants[name] = dict(planned.assignment)
        self.labels[name] = planned.label
        if run.lines.completed and run.status == "completed":
            await self._evaluate(planned, run)
        self.record()  # a killed experiment keeps what was paid for
        return run

    async def _evaluate(self, planned: PlannedRun, run: RunRecord) -> None:
        for each in planned.evaluations:
            if self.parts.budget.is_over:
                return
            subject = evaluator_subject(each.evaluator)
            name = self._run_name(planned, each.evaluator.name, each.dataset.name)
            self.runs[name] = await evaluate(
                run,
                subject.flow,
                each.dataset.source,
                each.dataset.mappings,
                self.parts,
                name=name,
                options=self.options,
                properties={**subject.properties, **_registered(each.dataset)},
                earlier=name if name in self.runs else None,
            )
            self.evaluations[name] = (each.evaluator.name, run.name)

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
            created_at=self.created.isoformat(),
            env=self.plan.experiment.env,
            runs=tuple(self.runs.values()),
            variants=self.variants,
            evaluations=self.evaluations,
            duration_s=time.perf_counter() - self.started,
            labels=self.labels,
            defaults=self.defaults,
            races=tuple(race.view() for race in self.races),
            policy=policy_values(self.plan.experiment),
        )
        self.store.save_experiment(record)
        return record


def _registered(dataset: ExperimentDataset | EvaluatorDataset) -> dict[str, str]:
    """What the record of a run says of registered data."""
    return {"registered_dataset": dataset.registered} if dataset.registered else {}
