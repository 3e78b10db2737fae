"""The strict form of ``experiment.yaml`` and of its overlays; every problem is reported at once, with its line."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import ExperimentInvalid, Problem

__all__ = ["BLOCKS", "IGNORED_IN_OVERLAYS", "ExperimentSchema", "OverlaySchema", "parse_schema"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Connection(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    name: str
    connection_type: str


class _Dataset(_Strict):
    name: str
    source: str
    mappings: dict[str, Any]
    description: str | None = None


class _EvaluatorDataset(_Strict):
    name: str
    mappings: dict[str, Any]
    source: str | None = None
    reference: str | None = None
    description: str | None = None


class _Evaluator(_Strict):
    name: str
    datasets: list[_EvaluatorDataset]
    flow: str | None = None
    type: str | None = None
    python: str | None = None
    options: dict[str, Any] | None = None


class _Blocks(_Strict):
    """Blocks that are read by who they belong to; each can be overlaid as a whole."""

    metrics: dict[str, Any] | None = None
    variants: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    racing: bool | dict[str, Any] | None = None
    baseline: str | dict[str, Any] | None = None
    slices: list[Any] | None = None
    gates: list[Any] | None = None
    inconclusive: str | None = None
    cluster: str | None = None
    ships: str | None = None
    approval: dict[str, Any] | None = None
    registry: dict[str, Any] | None = None


BLOCKS = tuple(_Blocks.model_fields)
"""The names of those blocks."""


class ExperimentSchema(_Blocks):
    """``experiment.yaml``."""

    name: str
    datasets: list[_Dataset]
    flow: str | None = None
    connections: list[_Connection] | None = None
    evaluators: list[_Evaluator] | None = None
    limits: dict[str, Any] | None = None
    runtime: str | None = None
    cache: bool | str | dict[str, Any] | None = None


class OverlaySchema(_Blocks):
    """``experiment.<env>.yaml``: each block that is present replaces the whole block; an empty one clears it."""

    name: str | None = None
    flow: str | None = None
    datasets: list[_Dataset] | None = None
    connections: list[_Connection] | None = None
    evaluators: list[_Evaluator] | None = None
    limits: dict[str, Any] | None = None
    runtime: str | None = None
    cache: bool | str | dict[str, Any] | None = None


IGNORED_IN_OVERLAYS = frozenset({"name", "flow"})
"""What an overlay may have, as the template's files do, and what changes nothing."""

_FORMS: dict[int | str, str] = {
    "baseline": "Write a version's label, or {run: NAME}.",
    "racing": "Write true, or {metric: accuracy, alpha: 0.05, min_lines: 30}.",
    "cache": "Write on, off or refresh, or {mode: on, off: [node]}.",
}
"""What the blocks that may have several forms look like."""

S = TypeVar("S", ExperimentSchema, OverlaySchema)


def parse_schema(schema: type[S], file: YamlFile) -> S:
    """The file's content in the schema's form. Raises ExperimentInvalid with every problem."""
    data = {} if file.data is None else file.data
    if not isinstance(data, dict):
        raise ExperimentInvalid(
            f"{file.path} cannot be used:", [Problem("The file is not a YAML mapping.", file.where())]
        )
    problems = file.repeated_problems()
    try:
        parsed = schema.model_validate(data)
    except ValidationError as error:
        problems += [_problem(item, schema, file) for item in error.errors(include_url=False)]
    if problems:
        raise ExperimentInvalid(f"{file.path} cannot be used:", list(dict.fromkeys(problems)))
    return parsed


def _problem(error: ErrorDetails, schema: type[BaseModel], file: YamlFile) -> Problem:
    keys = error["loc"]
    if len(keys) == 2 and keys[0] in _FORMS:  # pydantic tells of each form that it tried
        return Problem(f"{keys[0]!r} has the wrong form.", file.where(keys[0]), _FORMS[keys[0]])
    place = ".".join(str(key) for key in keys)
    if error["type"] == "extra_forbidden":
        known = _known_keys(schema, keys[:-1])
        hint = did_you_mean(str(keys[-1]), known) or f"Known keys: {known_names(known)}."
        return Problem(f"Unknown key {place!r}.", file.where(*keys), hint)
    if error["type"] == "missing":
        return Problem(f"{place!r} is required.", file.where(*keys[:-1]))
    return Problem(f"{place!r}: {error['msg'][0].lower()}{error['msg'][1:]}.", file.where(*keys))


def _known_keys(schema: type[BaseModel], keys: tuple[int | str, ...]) -> list[str]:
    inner: dict[str, type[BaseModel]] = {"connections": _Connection, "evaluators": _Evaluator, "datasets": _Dataset}
    names = [key for key in keys if isinstance(key, str)]
    found = schema if not names else _EvaluatorDataset if names == ["evaluators", "datasets"] else inner[names[-1]]
    return list(found.model_fields)
