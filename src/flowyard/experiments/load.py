"""Reading ``experiment.yaml`` and the overlay of an environment into an ``Experiment``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import ExperimentInvalid, OutsideError, Problem, UserError
from flowyard.experiments.connections import DeclaredConnection
from flowyard.experiments.data_sources import FoundData, ResolveDataset, find_data
from flowyard.experiments.evaluator_flow import with_whole_mappings
from flowyard.experiments.model import (
    Evaluator,
    EvaluatorDataset,
    Experiment,
    ExperimentDataset,
    RawBlock,
)
from flowyard.experiments.schema import BLOCKS, IGNORED_IN_OVERLAYS, ExperimentSchema, OverlaySchema, parse_schema
from flowyard.llm.cache.block import CacheBlock, parse_cache_block
from flowyard.llm.pacing import RateLimit, read_limits

__all__ = ["environment_overlay", "find_experiment_file", "find_overlay_file", "load_experiment"]


def load_experiment(path: Path, env: str | None = None, *, resolve_dataset: ResolveDataset | None = None) -> Experiment:
    """The experiment at ``path`` (its folder or file) with the overlay ``experiment.<env>.yaml`` applied.

    A dataset's ``source`` is a path, a URL or, where ``resolve_dataset`` finds it, a registered ``NAME:VERSION``.
    Raises ExperimentInvalid listing every problem with file:line, UserError when a file is missing, and StoreError,
    with file:line, when registered data was changed.
    """
    file = read_yaml(find_experiment_file(path))
    base = parse_schema(ExperimentSchema, file)
    reader = _Reader(file, base, resolve_dataset)
    if env:
        reader.overlay(read_yaml(find_overlay_file(file.path, env)))
    return reader.experiment(env)


def find_experiment_file(path: Path) -> Path:
    """The experiment's file. Raises UserError when there is none."""
    if path.is_dir():
        path = path / "experiment.yaml"
    if not path.is_file():
        parent = path.parent if path.parent.is_dir() else Path()
        near = did_you_mean(path.name, [child.name for child in parent.iterdir()])
        raise UserError(f"Experiment not found: {path}", hint=near or "An experiment's folder has an experiment.yaml.")
    return path


def find_overlay_file(base: Path, env: str) -> Path:
    """The overlay of an environment beside the experiment's file. Raises UserError when there is none."""
    file = base.parent / f"{base.stem}.{env}{base.suffix}"
    if file.parent != base.parent or not file.is_file():
        known = sorted(found.stem.split(".", 1)[1] for found in base.parent.glob(f"{base.stem}.*{base.suffix}"))
        hint = did_you_mean(env, known) or f"Environments here: {known_names(known)}."
        raise UserError(f"There is no overlay {file.name} for the environment {env!r}.", hint=hint)
    return file


def environment_overlay(path: Path, env: str) -> str | None:
    """The environment whose overlay applies: None for an experiment without any overlay, which is the same everywhere.

    Raises UserError when there are overlays, but none for this one.
    """
    base = find_experiment_file(path)
    if not any(base.parent.glob(f"{base.stem}.*{base.suffix}")):
        return None
    find_overlay_file(base, env)
    return env


@dataclass(slots=True)
class _Block:
    """A block of the file and the file it came from, for line numbers."""

    items: Sequence[Any]
    file: YamlFile


class _Reader:
    """Collects blocks, base first and overlay over it, and then problems."""

    def __init__(self, file: YamlFile, base: ExperimentSchema, resolve_dataset: ResolveDataset | None) -> None:
        self.resolve_dataset = resolve_dataset
        self.file = file
        self.files = [file.path.resolve()]
        self.base = base
        self.folder = file.path.resolve().parent
        self.blocks = {
            name: _Block(getattr(base, name) or [], file) for name in ("datasets", "evaluators", "connections")
        }
        self.limits = (base.limits, file)
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.raw: dict[str, RawBlock] = {}
        self._take_blocks(base, file)
        self.cache = self._cache(base.cache, file)
        if not base.datasets:
            self._problem("'datasets' is empty: an experiment needs at least one.", file, "datasets")

    def overlay(self, file: YamlFile) -> None:
        overlay = parse_schema(OverlaySchema, file)
        self.files.append(file.path.resolve())
        for name in overlay.model_fields_set & self.blocks.keys():
            self.blocks[name] = _Block(getattr(overlay, name) or [], file)
        self._take_blocks(overlay, file)
        if "cache" in overlay.model_fields_set:
            self.cache = self._cache(overlay.cache, file)
        if "limits" in overlay.model_fields_set:
            self.limits = (overlay.limits, file)
        for name in sorted(overlay.model_fields_set & IGNORED_IN_OVERLAYS):
            self.warnings.append(
                f"{file.where(name)}: {name!r} in an overlay is ignored; only whole blocks are replaced."
            )
        for name in sorted(overlay.model_fields_set & self._cleared_by(overlay)):
            self.warnings.append(f"{file.where(name)}: {name!r} is empty here, so the block is cleared.")
        if not self.blocks["datasets"].items:
            self._problem("The overlay clears 'datasets', so there is nothing to run.", file, "datasets")

    def _cleared_by(self, overlay: OverlaySchema) -> set[str]:
        """Blocks that the base has, and of which the overlay has the name only; ``[]`` is meant so."""
        return {
            name
            for name in overlay.model_fields_set - IGNORED_IN_OVERLAYS - {"datasets"}
            if getattr(self.base, name, None) and getattr(overlay, name) is None
        }

    def _take_blocks(self, schema: ExperimentSchema | OverlaySchema, file: YamlFile) -> None:
        """The blocks that a file has, over those from before; an empty one clears."""
        for name in BLOCKS:
            if name in schema.model_fields_set:
                self.raw.pop(name, None)
                value = getattr(schema, name)
                if value is not None:
                    self.raw[name] = RawBlock(name, value, file)

    def experiment(self, env: str | None) -> Experiment:
        datasets = [self._dataset(index, item) for index, item in enumerate(self.blocks["datasets"].items)]
        evaluators = [
            self._evaluator(index, item, datasets) for index, item in enumerate(self.blocks["evaluators"].items)
        ]
        self._require_unique("dataset", [dataset.name for dataset in datasets], "datasets")
        self._require_unique("evaluator", [evaluator.name for evaluator in evaluators], "evaluators")
        flow = self._flow(self.base.flow or self.base.name, self.file, "flow")
        limits = self._limits()
        if self.problems:
            raise ExperimentInvalid(f"{self.file.path} cannot be used:", self.problems)
        return Experiment(
            name=self.base.name,
            folder=self.folder,
            flow=flow,
            datasets=tuple(datasets),
            evaluators=tuple(evaluators),
            connections=tuple(self._connections()),
            limits=limits,
            env=env,
            warnings=tuple(self.warnings),
            cache=self.cache,
            blocks=self.raw,
            files=tuple(self.files),
        )

    def _problem(self, message: str, file: YamlFile, *keys: str | int, hint: str | None = None) -> None:
        self.problems.append(Problem(message, file.where(*keys), hint))

    def _cache(self, value: Any, file: YamlFile) -> CacheBlock:
        try:
            return parse_cache_block(value)
        except UserError as error:
            self._problem(error.message, file, "cache", hint=error.hint)
            return CacheBlock()

    def _require_unique(self, kind: str, names: Iterable[str], block: str) -> None:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self._problem(f"Two {kind}s are called {name!r}.", self.blocks[block].file, block, index)
            seen.add(name)

    def _dataset(self, index: int, item: Any) -> ExperimentDataset:
        file = self.blocks["datasets"].file
        found = self._data(item.source, file, "datasets", index, "source")
        where = file.where("datasets", index)
        return ExperimentDataset(item.name, found.source, item.mappings, item.description, where, found.registered)

    def _evaluator(self, index: int, item: Any, datasets: Sequence[ExperimentDataset]) -> Evaluator:
        file = self.blocks["evaluators"].file
        keys = ("evaluators", index)
        found = [self._applies_to(keys, place, each, datasets) for place, each in enumerate(item.datasets)]
        applicable = tuple(each for each in found if each is not None)
        if not applicable and len(found) == 0:
            self.warnings.append(f"{file.where(*keys)}: evaluator {item.name!r} lists no dataset and is not used.")
        kinds = [kind for kind in ("flow", "type", "python") if getattr(item, kind) is not None]
        if len(kinds) > 1:
            message = f"Evaluator {item.name!r} has {' and '.join(map(repr, kinds))}; it takes one of them."
            self._problem(message, file, *keys, kinds[1])
        is_flow = not item.type and not item.python
        if is_flow and item.options:
            hint = "An evaluation flow takes its values from its file and the mappings."
            self._problem("'options' are for 'type' and 'python'.", file, *keys, "options", hint=hint)
        evaluator = Evaluator(
            item.name,
            self._flow(item.flow or item.name, file, *keys, "flow") if is_flow else None,
            applicable,
            file.where(*keys),
            item.type,
            item.python,
            item.options or {},
            self.folder,
        )
        try:
            return with_whole_mappings(evaluator) if len(kinds) <= 1 else evaluator
        except UserError as error:
            self.problems.append(Problem(error.message, error.where or file.where(*keys), error.hint))
            return evaluator

    def _applies_to(
        self, keys: tuple[str | int, ...], place: int, item: Any, datasets: Sequence[ExperimentDataset]
    ) -> EvaluatorDataset | None:
        file = self.blocks["evaluators"].file
        keys = (*keys, "datasets", place)
        own = next((dataset for dataset in datasets if dataset.name == item.name), None)
        if own is not None:
            for key in ("source", "reference"):
                if getattr(item, key) is not None:
                    message = f"{key!r} is not allowed here: {item.name!r} is a dataset of the experiment."
                    self._problem(message, file, *keys, key)
            return EvaluatorDataset(item.name, item.name, own.source, item.mappings, file.where(*keys), own.registered)
        return self._foreign_dataset(keys, item, [dataset.name for dataset in datasets])

    def _foreign_dataset(self, keys: tuple[str | int, ...], item: Any, known: list[str]) -> EvaluatorDataset | None:
        """An evaluator's own dataset; after an overlay it may be the leftover of a replaced one, which only warns."""
        file = self.blocks["evaluators"].file
        if item.source is None or item.reference is None:
            hint = did_you_mean(item.name, known) or f"Datasets: {known_names(known)}."
            message = f"{item.name!r} is not a dataset of the experiment, so it needs 'source' and 'reference'."
            if file is not self.blocks["datasets"].file:
                self.warnings.append(
                    f"{file.where(*keys)}: {message} It is left out, as the overlay replaced 'datasets'."
                )
            else:
                self._problem(message, file, *keys, hint=hint)
            return None
        if item.reference not in known:
            hint = did_you_mean(item.reference, known) or f"Datasets: {known_names(known)}."
            if file is not self.blocks["datasets"].file:
                self.warnings.append(
                    f"{file.where(*keys, 'reference')}: {item.name!r} belongs to the dataset {item.reference!r}, which "
                    f"the overlay's 'datasets' does not have. It is left out. {hint}"
                )
                return None
            self._problem(
                f"'reference' names the unknown dataset {item.reference!r}.", file, *keys, "reference", hint=hint
            )
        found = self._data(item.source, file, *keys, "source")
        where = file.where(*keys)
        return EvaluatorDataset(item.name, item.reference, found.source, item.mappings, where, found.registered)

    def _data(self, source: str, file: YamlFile, *keys: str | int) -> FoundData:
        try:
            return find_data(source, self.folder, self.resolve_dataset)
        except UserError as error:
            self._problem(error.message, file, *keys, hint=error.hint)
            return FoundData(self.folder / "missing")
        except OutsideError as error:
            error.where = error.where or file.where(*keys)
            raise

    def _flow(self, name: str, file: YamlFile, *keys: str | int) -> Path:
        tried = [self.folder / name, self.folder / "flows" / name]
        found = next((path for path in tried if path.exists()), None)
        if found is None:
            names = [str(path.relative_to(self.folder)) for path in self.folder.glob("flows/*") if path.is_dir()]
            hint = did_you_mean(name, names) or f"Flows here: {known_names(names)}."
            self._problem(f"There is no flow {name!r}.", file, *keys, hint=hint)
        return found or tried[0]

    def _connections(self) -> Iterable[DeclaredConnection]:
        block = self.blocks["connections"]
        for index, item in enumerate(block.items):
            fields = {"type": item.connection_type, **(item.model_extra or {})}
            yield DeclaredConnection(item.name, fields, block.file.where("connections", index))

    def _limits(self) -> dict[str, RateLimit]:
        block, file = self.limits
        try:
            return read_limits(block or {}, file.where("limits"))
        except UserError as error:
            self._problem(error.message, file, "limits", hint=error.hint)
            return {}
