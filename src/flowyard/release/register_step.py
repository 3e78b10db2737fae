"""The version that would be deployed is registered, with all that speaks for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from flowyard._util.git import read_commit
from flowyard.records import ExperimentRecord
from flowyard.registry import Registry
from flowyard.registry.flow_files import flow_draft
from flowyard.registry.lineage import commit_fact, dataset_fact, experiment_facts, is_same_fact
from flowyard.registry.model import AliasChange, LineageFact, Version
from flowyard.release.carry_out import Work
from flowyard.release.experiment_step import find_execution
from flowyard.release.model import Outcome
from flowyard.release.parts import ReleaseParts

__all__ = ["CANDIDATE", "add_facts", "move_alias", "register_version", "registered_version"]

CANDIDATE = "candidate"
"""The alias of the version that was registered last by a release."""


def register_version(parts: ReleaseParts, work: Work) -> Outcome:
    """A version of the flow as it would be deployed; the one that has this content already, if there is one."""
    record = find_execution(parts, work)
    ships, experiment = parts.ships, parts.experiment
    with flow_draft(
        experiment.flow, experiment.name, selected=ships.selected, parameters=ships.parameters
    ) as (draft, _):
        made = parts.registry.add(draft)
    version = made.version
    add_facts(parts.registry, version, _facts(parts, work, record))
    reason = f"release {work.record.name}/{work.record.key}"
    move_alias(parts.registry, version, CANDIDATE, parts.by, reason)
    said = version.label + ("" if made.is_new else ", which has this content already")
    return Outcome({"name": version.name, "version": version.version, "digest": version.digest}, said)


def registered_version(parts: ReleaseParts, work: Work) -> Version:
    """The version that the release registered. Raises NotFound."""
    noted = work.result("register")
    return parts.registry.find(f"{noted['name']}:{noted['version']}", "flow")


def add_facts(registry: Registry, version: Version, facts: Iterable[LineageFact]) -> None:
    """Write down what is not known of the version yet."""
    known = list(registry.facts(version))
    for fact in facts:
        if not any(is_same_fact(fact, each) for each in known):
            registry.add_fact(version, fact)
            known.append(fact)


def move_alias(registry: Registry, version: Version, alias: str, by: str, reason: str) -> None:
    """Point an alias at the version, unless it does."""
    if registry.aliases(version.name, version.kind).get(alias) != version.version:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        registry.move_alias(version.name, AliasChange(alias, version.version, by, reason, now), version.kind)


def _facts(parts: ReleaseParts, work: Work, record: ExperimentRecord) -> list[LineageFact]:
    commit = read_commit([Path(parts.experiment.flow), *parts.experiment.files])
    runs = [run for run in record.runs if record.labels.get(run.name) == parts.ships.label]
    found = [commit_fact(commit, parts.by)] if commit else []
    found += experiment_facts(record, runs, parts.by)
    for each in work.result("data").get("datasets", {}).values():
        if each["label"]:
            found.append(dataset_fact(each["label"], each["digest"], parts.by))
    return found
