"""What the steps of a release work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowyard.abc import Store
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import Approval, ApprovalPolicy
from flowyard.deploy.rollout.rollout import RolloutRecord
from flowyard.experiments.model import Experiment
from flowyard.experiments.plan import ExperimentPlan, PlannedRun
from flowyard.records import ExperimentRecord
from flowyard.registry import Registry
from flowyard.registry.model import Version

__all__ = ["OnBegin", "ReleaseParts", "RollOut", "RunExperiment"]

OnBegin = Callable[[ExperimentRecord], None]
RunExperiment = Callable[[ExperimentRecord | None, OnBegin], ExperimentRecord]
"""Runs the experiment, or what is left of an execution, decides and writes its reports; tells of its beginning."""

RollOut = Callable[[Version, str | None], RolloutRecord]
"""Carries out the rollout of a version, up to that step of it, or to its end; goes on with one that was stopped."""


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """``ships`` is the planned run whose version would be deployed. ``announce`` tells people of a request, and
    ``wait`` waits for the answer; it is None when the release is to go on another time instead. ``no_approval`` says
    where it is written that none is needed; None when one is. ``roll_out`` is None when nothing is to be deployed.
    ``version`` is the registered version that goes on its way instead of the files; ``evaluates`` whether the
    experiment runs; ``registers`` whether anything follows it.
    """

    experiment: Experiment
    plan: ExperimentPlan
    ships: PlannedRun
    inconclusive_passes: bool
    approval: ApprovalPolicy
    store: Store
    registry: Registry
    desk: ApprovalDesk
    by: str
    run_experiment: RunExperiment
    announce: Callable[[Approval], None]
    wait: Callable[[Approval], Approval] | None
    no_approval: str | None = None
    roll_out: RollOut | None = None
    version: Version | None = None
    evaluates: bool = True
    registers: bool = True
