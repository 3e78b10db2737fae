"""An experiment as the rest of the program sees it: paths found, references checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import YamlFile
from flowyard.experiments.connections import DeclaredConnection
from flowyard.llm.cache.block import CacheBlock
from flowyard.llm.pacing import RateLimit
from flowyard.runs.dataset import DataSource

__all__ = ["Evaluator", "EvaluatorDataset", "Experiment", "ExperimentDataset", "RawBlock"]


@dataclass(frozen=True, slots=True)
class ExperimentDataset:
    """Data that the flow is run on, and which column feeds which input. ``registered`` is its ``NAME:VERSION``."""

    name: str
    source: DataSource
    mappings: Mapping[str, Any]
    description: str | None = None
    where: str = ""
    registered: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluatorDataset:
    """What an evaluator reads for runs over ``reference``, a dataset of the experiment (often the same one).

    ``registered`` is the ``NAME:VERSION`` of registered data.
    """

    name: str
    reference: str
    source: DataSource
    mappings: Mapping[str, Any]
    where: str = ""
    registered: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluator:
    """What judges runs, and the datasets it applies to: exactly one of ``flow`` (an evaluation flow), ``type`` (the
    name of a built-in evaluator) and ``python`` (``path/to/file.py:function``). ``options`` are for the last two.
    ``folder`` is what paths among them are relative to.
    """

    name: str
    flow: Path | None
    datasets: tuple[EvaluatorDataset, ...]
    where: str = ""
    type: str | None = None
    python: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as its file has it, with the file, so that a problem in it can be told with its line."""

    name: str
    value: Any
    file: YamlFile

    def where(self, *keys: str | int) -> str:
        """``file:line`` of the block, or of what is at ``keys`` in it."""
        return self.file.where(self.name, *keys)


@dataclass(frozen=True, slots=True)
class Experiment:
    """One ``experiment.yaml`` with the overlay of one environment applied.

    ``files`` are the file and its overlay.
    ``blocks`` has the blocks that others read (``variants``, ``metrics``, ``gates``, …), those that are there.
    """

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
    blocks: Mapping[str, RawBlock] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
