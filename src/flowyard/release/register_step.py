"""The version that would be deployed is registered, with all that speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowyard.errors import Conflict
from flowyard.registry.lineage import dataset_fact
from flowyard.registry.model import LineageFact, Version
from flowyard.registry.point_alias import point_alias
from flowyard.registry.register_flow import FlowToRegister, add_facts, register_flow, version_of_flow
from flowyard.release.experiment_step import find_execution
from flowyard.release.parts import ReleaseParts
from flowyard.steps import Outcome, Work

__all__ = ["CANDIDATE", "register_version", "registered_version", "take_version"]

CANDIDATE = "candidate"
"""The alias of the version that a release registered last."""


def register_version(parts: ReleaseParts, work: Work) -> Outcome:
    """A version of the flow as it would be deployed; the one that has this content already, if there is one.

    Raises UserError when the flow is not what the experiment ran any more, Conflict when it is not the version that
    was named.
    """
    record = find_execution(parts, work)
    wanted = replace(_flow(parts), experiment=f"{record.name}/{record.key}")
    _require_named(parts, wanted)
    made = register_flow(parts.registry, parts.store, wanted)
    version = made.version
    datasets = _dataset_facts(work.result("data").get("datasets", {}), parts.by)
    add_facts(parts.registry, version, datasets, parts.registry.facts(version))
    if parts.version is None:
        point_alias(parts.registry, version, CANDIDATE, parts.by, f"release {work.record.name}/{work.record.key}")
    said = version.label + ("" if made.is_new else ", which has this content already")
    return Outcome(_result(version), said)


def take_version(parts: ReleaseParts, work: Work) -> Outcome:
    """The version that was named, every byte of it checked; where it is evaluated, the files here have to be its own.

    Raises Conflict when they are not: what is measured would be something else than what is deployed.
    """
    version = registered_version(parts, work)
    parts.registry.folder(version)
    if parts.evaluates:
        _require_named(parts, _flow(parts))
    return Outcome(_result(version), f"{version.label} ({version.digest[:12]})")


def registered_version(parts: ReleaseParts, work: Work) -> Version:
    """The version that was named, or that the release registered. Raises NotFound."""
    if parts.version is not None:
        return parts.version
    noted = work.result("register")
    return parts.registry.find(f"{noted['name']}:{noted['version']}", "flow")


def _flow(parts: ReleaseParts) -> FlowToRegister:
    """The flow as it ships."""
    return FlowToRegister(
        path=parts.experiment.flow,
        by=parts.by,
        name=parts.experiment.name,
        selected=parts.ships.selected,
        parameters=parts.ships.parameters,
    )


def _require_named(parts: ReleaseParts, wanted: FlowToRegister) -> None:
    """Raises Conflict when a version was named, and the files here are not what it has."""
    named = parts.version
    if named is None:
        return
    found = version_of_flow(parts.registry, wanted)
    if found is None or found.digest != named.digest:
        what = f"those of {found.label}" if found else "those of no version"
        raise Conflict(
            f"The flow's files here are {what}, not those of {named.label} ({named.digest[:12]}): they were changed.",
            hint=f"Check out the commit of {named.label} (flowyard registry lineage {named.label}), or begin with the "
            "first environment again.",
        )


def _result(version: Version) -> dict[str, Any]:
    return {"name": version.name, "version": version.version, "digest": version.digest}


def _dataset_facts(datasets: Mapping[str, Mapping[str, Any]], by: str) -> list[LineageFact]:
    return [dataset_fact(each["label"], each["digest"], by) for each in datasets.values() if each["label"]]
