"""The gates of an experiment as production can be held to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowyard.decisions.policy import DecisionPolicy, Gate
from flowyard.experiments.model import Experiment
from flowyard.experiments.policy import policy_values, read_policy

__all__ = ["LivePolicy", "live_policy"]


@dataclass(frozen=True, slots=True)
class LivePolicy:
    """``policy`` decides, ``values`` are its blocks as the record keeps them, ``left_out`` says which gates are not
    judged, and why.
    """

    policy: DecisionPolicy
    values: Mapping[str, Any]
    left_out: tuple[str, ...]


def live_policy(experiment: Experiment, ships: str, datasets: Mapping[str, Sequence[str]], main: str) -> LivePolicy:
    """The gates with a limit of their own, for the version ``ships``.

    ``datasets`` has the names that were measured over each part of production; a gate is judged where its metric was,
    else over ``main``. Gates that compare two versions, or that name one, are left out: ``ab`` compares them in
    production. Raises ExperimentInvalid.
    """
    policy, values = read_policy(experiment), policy_values(experiment)
    kept: list[Gate] = []
    raw: list[Any] = []
    left_out: list[str] = []
    for gate, written in zip(policy.gates, values.get("gates") or (), strict=True):
        why = _unfit(gate)
        if why is None:
            dataset = _dataset(gate, datasets, main)
            kept.append(replace(gate, dataset=dataset))
            raw.append(_raw(gate, written, dataset))
        else:
            left_out.append(f"{gate.where}: the gate {gate.text} is not judged: {why}")
    live = replace(policy, gates=tuple(kept), baseline=None, slices=(), cluster=None, ships=ships)
    blocks = {name: value for name, value in values.items() if name in ("metrics", "inconclusive")}
    return LivePolicy(live, {**blocks, "gates": raw, "ships": ships}, tuple(left_out))


def _unfit(gate: Gate) -> str | None:
    if gate.is_relative:
        return "it compares two versions, which answer different requests in production. See: flowyard ab"
    if gate.version is not None:
        return f"it is about {gate.version}, which production does not name."
    if gate.slice:
        return "it is about a slice of a dataset."
    return None


def _dataset(gate: Gate, datasets: Mapping[str, Sequence[str]], main: str) -> str:
    """Where its metric was measured, alone or with the name of its evaluator."""
    places = [dataset for dataset, names in datasets.items() if gate.metric in names]
    return places[0] if len(places) == 1 else main


def _raw(gate: Gate, written: Any, dataset: str) -> Any:
    if isinstance(written, Mapping):
        return {**written, "dataset": dataset}
    signs = {"at_least": "at_least", "at_most": "at_most", "above": "above", "below": "below"}
    return {"metric": gate.metric, signs[gate.condition]: gate.number, "dataset": dataset}
