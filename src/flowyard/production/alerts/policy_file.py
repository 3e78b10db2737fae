"""``monitoring.yaml``, strictly: every problem at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from flowyard._util.durations import parse_duration
from flowyard._util.strict_yaml import STRICT, LeastDuration, parse_strictly
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import NotFound, Problem, UserError
from flowyard.notify.open import check_target
from flowyard.production.alerts.conditions import parse_condition
from flowyard.production.alerts.model import AlertRule, Condition, DriftReference, MonitoringPolicy
from flowyard.production.drift.model import DriftSettings

__all__ = ["MONITORING_FILE", "MonitoringFile", "find_monitoring", "parse_monitoring", "parse_reference"]

MONITORING_FILE = "monitoring.yaml"
_NAME = r"^[a-zA-Z0-9][-_a-zA-Z0-9]{0,63}$"
_SOURCE = re.compile(r"(registry|run):[^\s]{1,300}")


def parse_reference(text: str) -> DriftReference:
    """``registry:NAME:VERSION``, ``run:NAME`` or a time before the window such as ``7d``. Raises ValueError."""
    if _SOURCE.fullmatch(text):
        return DriftReference(source=text)
    try:
        return DriftReference(before=parse_duration(text))
    except ValueError:
        raise ValueError(f"{text!r} must be registry:NAME:VERSION, run:NAME or a time such as 7d") from None


def _condition(value: Any) -> Condition:
    try:
        return parse_condition(value if isinstance(value, str) else "")
    except ValueError as error:
        raise PydanticCustomError("condition", "{why}", {"why": str(error)}) from None


def _reference(value: Any) -> DriftReference:
    try:
        return parse_reference(value if isinstance(value, str) else "")
    except ValueError as error:
        raise PydanticCustomError("reference", "{why}", {"why": str(error)}) from None


def _target(value: Any) -> str:
    try:
        check_target(str(value))
    except UserError as error:
        hint = f" {error.hint}" if error.hint else ""
        raise PydanticCustomError("target", "{why}", {"why": f"{error.message}{hint}"}) from None
    return str(value)


_Target = Annotated[str, BeforeValidator(_target)]
_Name = Annotated[str, Field(pattern=_NAME)]
_Share = Annotated[float, Field(gt=0, lt=1)]
_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Sentence = WithJsonSchema({"type": "string", "minLength": 1})


class _Strict(BaseModel):
    model_config = ConfigDict(**STRICT, arbitrary_types_allowed=True)


class _AlertRule(_Strict):
    name: _Name
    when: Annotated[Condition, BeforeValidator(_condition), _Sentence]
    severity: Literal["info", "warning", "critical"] = "warning"
    by: Literal["version", "flow"] = "version"
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    cooldown: LeastDuration = timedelta(hours=1)
    notify: list[_Target] | None = None


class _DriftLimits(_Strict):
    reference: Annotated[DriftReference, BeforeValidator(_reference), _Sentence] = DriftReference()
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    effect: Annotated[float, Field(gt=0, le=10)] = 0.1
    vector_effect: _Share = 0.05
    min_records: Annotated[int, Field(ge=10, le=10_000)] = 50
    features: list[_Text] = []


class MonitoringFile(_Strict):
    """What a ``monitoring.yaml`` may say."""

    alerts: Annotated[list[_AlertRule], Field(min_length=1, max_length=100)]
    flow: _Text | None = None
    records: list[_Text] = []
    notify: list[_Target] = []
    drift: _DriftLimits = _DriftLimits()


def find_monitoring(path: Path, name: Callable[[], str]) -> MonitoringPolicy:
    """What is watched of a use case: the folder with ``monitoring.yaml``, or that file; ``name`` gives its flow's.

    Raises NotFound, and UserError with every problem.
    """
    file = path / MONITORING_FILE if path.is_dir() else path
    if not file.is_file():
        raise NotFound(f"There is no {file}.", hint="It says when people are told: docs/monitoring.md")
    return parse_monitoring(read_yaml(file), name)


def parse_monitoring(file: YamlFile, name: Callable[[], str]) -> MonitoringPolicy:
    """The policy in a file; folders that it names are seen from its own. Raises UserError with every problem."""
    body = parse_strictly(MonitoringFile, file, lambda body: _more(body, file))
    return _made(body, file.path.parent, name)


def _made(body: MonitoringFile, folder: Path, name: Callable[[], str]) -> MonitoringPolicy:
    drift = body.drift
    return MonitoringPolicy(
        flow=body.flow or name(),
        rules=tuple(_rule(each) for each in body.alerts),
        notify=tuple(body.notify),
        records=tuple(folder / each for each in body.records),
        drift=DriftSettings(drift.alpha, drift.effect, drift.vector_effect, drift.min_records, tuple(drift.features)),
        reference=drift.reference,
    )


def _rule(given: _AlertRule) -> AlertRule:
    notify = None if given.notify is None else tuple(given.notify)
    return AlertRule(given.name, given.when, given.severity, given.by, given.min_requests, given.cooldown, notify)


def _more(body: MonitoringFile, file: YamlFile) -> Iterator[Problem]:
    """What is wrong although each value by itself is right."""
    names = [each.name for each in body.alerts]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Problem(f"There is another rule {name!r}.", file.where("alerts", place, "name"))
