"""Which versions are compared, over which data, and which runs belong to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowyard.flows.labels import selection_label
from flowyard.records import Comparison, RunRecord

__all__ = ["VersionRun", "Versions", "find_versions", "match_versions"]


@dataclass(frozen=True, slots=True)
class VersionRun:
    """One version over one dataset: its run, and the runs that evaluated it by the evaluator's name."""

    dataset: str
    version: str
    run: RunRecord
    evaluations: Mapping[str, RunRecord]


@dataclass(frozen=True, slots=True)
class Versions:
    """All of them in the order they ran. ``defaults`` is the flow as its files have it and ``ships`` the version that
    would be deployed, each None when it was not run.
    """

    runs: tuple[VersionRun, ...]
    defaults: str | None = None
    ships: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.version for each in self.runs))

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.dataset for each in self.runs))

    def over(self, dataset: str) -> tuple[VersionRun, ...]:
        """The versions that ran over one dataset."""
        return tuple(each for each in self.runs if each.dataset == dataset)

    @property
    def evaluators(self) -> tuple[str, ...]:
        """The names of all evaluators, in order of appearance."""
        return tuple(dict.fromkeys(name for each in self.runs for name in each.evaluations))


def find_versions(comparison: Comparison, ships: str | None = None) -> Versions:
    """The versions of a comparison, under the labels that reports show; ``ships`` names the one that would be deployed
    where that is not the flow as its files have it.
    """
    found: list[VersionRun] = []
    taken: set[tuple[str, str]] = set()
    for run in comparison.runs:
        if run.name in comparison.evaluations:
            continue
        dataset, label = _dataset(run, comparison), _label(run, comparison)
        if (dataset, label) in taken:
            label = f"{label} ({run.name})"
        taken.add((dataset, label))
        found.append(VersionRun(dataset, label, run, _evaluations(run, comparison)))
    labels = tuple(dict.fromkeys(each.version for each in found))
    defaults = comparison.defaults if comparison.defaults in labels else None
    return Versions(tuple(found), defaults, next(iter(match_versions(ships, labels)), None) if ships else defaults)


def match_versions(wanted: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The versions that a person means: by the whole label, or by a part of it such as ``node=variant``.

    ``node.variant`` and a variant's bare name are understood, too.
    """
    if wanted in labels:
        return (wanted,)
    return tuple(label for label in labels if any(wanted in _names(part) for part in label.split(", ")))


def _names(part: str) -> tuple[str, ...]:
    node, _, variant = part.partition("=")
    return (part, f"{node}.{variant}", variant)


def _label(run: RunRecord, comparison: Comparison) -> str:
    given = comparison.labels.get(run.name)
    chosen = comparison.variants.get(run.name, {})
    return given or selection_label(chosen, {})


def _dataset(run: RunRecord, comparison: Comparison) -> str:
    named = comparison.datasets.get(run.name) or run.dataset
    return named or (Path(run.data).stem if run.data else "data")


def _evaluations(run: RunRecord, comparison: Comparison) -> dict[str, RunRecord]:
    found: dict[str, RunRecord] = {}
    for each in comparison.runs:
        evaluator, evaluated = comparison.evaluations.get(each.name, ("", ""))
        if evaluated == run.name:
            times = sum(name.partition(" (")[0] == evaluator for name in found)
            found[f"{evaluator} ({times + 1})" if times else evaluator] = each
    return found
