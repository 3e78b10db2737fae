"""The data of the experiment gets versions, where it has none yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowyard.experiments.model import ExperimentDataset
from flowyard.release.parts import ReleaseParts
from flowyard.steps import Outcome, Work

__all__ = ["register_data"]


def register_data(parts: ReleaseParts, work: Work) -> Outcome:
    """A version of each dataset that lies on this machine; one that has its content already is taken."""
    del work
    versions = {dataset.name: _version(parts, dataset) for dataset in parts.experiment.datasets}
    said = [f"{each['label']}{' (new)' if each['is_new'] else ''}" for each in versions.values() if each["label"]]
    said += [f"{name} is not kept: {each['why']}" for name, each in versions.items() if not each["label"]]
    return Outcome({"datasets": versions}, ", ".join(said))


def _version(parts: ReleaseParts, dataset: ExperimentDataset) -> dict[str, Any]:
    if dataset.registered is not None:
        found = parts.registry.find(dataset.registered)
        return {"label": found.label, "digest": found.digest, "is_new": False}
    path = dataset.source
    if not isinstance(path, Path) or not path.exists():
        return {"label": None, "digest": None, "is_new": False, "why": "its data is not one file or folder here"}
    made = parts.registry.register(path, dataset.name, dataset.description or "")
    return {"label": made.version.label, "digest": made.version.digest, "is_new": made.is_new}
