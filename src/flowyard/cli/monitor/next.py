"""What an experiment needs to run on what was exported: its datasets, with the new data in the place of the old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowyard.errors import FlowyardError
from flowyard.experiments.load import load_experiment

__all__ = ["next_datasets"]


def next_datasets(use_case: str | None, source: str) -> list[dict[str, Any]]:
    """The block ``datasets`` of an overlay for the experiment of a use case; nothing where there is none to read.

    Its first dataset keeps its name, by which evaluators know it. ``source`` has the inputs as ``inputs.NAME``.
    """
    if use_case is None:
        return []
    try:
        first = load_experiment(Path(use_case)).datasets[0]
    except FlowyardError:  # what was exported is there all the same
        return []
    return [
        {
            "name": first.name,
            "source": source,
            "mappings": {name: f"${{data.inputs.{name}}}" for name in first.mappings},
        }
    ]
