"""An experiment's file on its way to a plan: what ``run`` and ``resume`` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowyard.app import App
from flowyard.cli.shared.many_lines import ManyLines
from flowyard.decisions.policy import DecisionPolicy
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import ExperimentPlan, plan_experiment
from flowyard.experiments.policy import read_policy, read_racing
from flowyard.registry import open_registry

__all__ = ["planned_experiment"]


def planned_experiment(
    path: Path,
    env: str | None,
    app: App,
    many: ManyLines,
    *,
    variants: str | None,
    parameters: Mapping[str, Sequence[Any]],
    gates: bool,
) -> tuple[ExperimentPlan, DecisionPolicy]:
    """What would run and how it is decided, with no gate unless ``gates``. Raises UserError, ExperimentInvalid."""
    experiment = load_experiment(path, env, resolve_dataset=open_registry(app.settings).resolve)
    policy, _ = read_policy(experiment), read_racing(experiment)
    plan = plan_experiment(experiment, variants, parameters, prices=many.price_table(app), gates=gates)
    return plan, policy if gates else replace(policy, gates=())
