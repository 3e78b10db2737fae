"""The version that would be deployed is registered, with all that speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.registry.lineage import dataset_fact
from flowyard.registry.model import LineageFact, Version
from flowyard.registry.point_alias import point_alias
from flowyard.registry.register_flow import FlowToRegister, add_facts, register_flow
from flowyard.release.experiment_step import find_execution
from flowyard.release.parts import ReleaseParts
from flowyard.steps import Outcome, Work

__all__ = ["CANDIDATE", "register_version", "registered_version"]

CANDIDATE = "candidate"
"""The alias of the version that a release registered last."""


def register_version(parts: ReleaseParts, work: Work) -> Outcome:
    """A version of the flow as it would be deployed; the one that has this content already, if there is one.

    Raises UserError when the flow is not what the experiment ran any more.
    """
    record = find_execution(parts, work)
    wanted = FlowToRegister(
        path=parts.experiment.flow,
        by=parts.by,
        name=parts.experiment.name,
        selected=parts.ships.selected,
        parameters=parts.ships.parameters,
        experiment=f"{record.name}/{record.key}",
    )
    made = register_flow(parts.registry, parts.store, wanted)
    version = made.version
    datasets = _dataset_facts(work.result("data").get("datasets", {}), parts.by)
    add_facts(parts.registry, version, datasets, parts.registry.facts(version))
    point_alias(parts.registry, version, CANDIDATE, parts.by, f"release {work.record.name}/{work.record.key}")
    said = version.label + ("" if made.is_new else ", which has this content already")
    return Outcome({"name": version.name, "version": version.version, "digest": version.digest}, said)


def registered_version(parts: ReleaseParts, work: Work) -> Version:
    """The version that the release registered. Raises NotFound."""
    noted = work.result("register")
    return parts.registry.find(f"{noted['name']}:{noted['version']}", "flow")


def _dataset_facts(datasets: Mapping[str, Mapping[str, Any]], by: str) -> list[LineageFact]:
    return [dataset_fact(each["label"], each["digest"], by) for each in datasets.values() if each["label"]]
