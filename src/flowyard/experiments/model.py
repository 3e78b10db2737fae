"""An experiment as the rest of the program sees it: paths found, references checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard.llm.cache.block import CacheBlock
from flowyard.llm.pacing import RateLimit
from flowyard.runs.dataset import DataSource

__all__ = ["DeclaredConnection", "Evaluator", "EvaluatorDataset", "Experiment", "ExperimentDataset"]


@dataclass(frozen=True, slots=True)
class DeclaredConnection:
    """A connection as the file has it; ``${field}`` values stand for ``<NAME>_<FIELD>`` of the environment."""

    name: str
    fields: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class ExperimentDataset:
    """Data that the flow is run on, and which column feeds which input."""

    name: str
    source: DataSource
    mappings: Mapping[str, Any]
    description: str | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class EvaluatorDataset:
    """What an evaluator reads for runs over ``reference``, a dataset of the experiment (often the same one)."""

    name: str
    reference: str
    source: DataSource
    mappings: Mapping[str, Any]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """An evaluation flow and the datasets it applies to."""

    name: str
    flow: Path
    datasets: tuple[EvaluatorDataset, ...]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One ``experiment.yaml`` with the overlay of one environment applied."""

    name: str
    folder: Path
    flow: Path
    datasets: tuple[ExperimentDataset, ...]
    evaluators: tuple[Evaluator, ...]
    connections: tuple[DeclaredConnection, ...] = ()
    limits: Mapping[str, RateLimit] = field(default_factory=dict)
    env: str | None = None
    warnings: tuple[str, ...] = ()
    cache: CacheBlock = CacheBlock()
