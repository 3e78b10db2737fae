"""What is said of an evaluator that comes with flowyard: what it takes, what it gives, and how it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["NEEDED", "BuiltinEvaluator", "EvaluatorInput", "EvaluatorMetric", "EvaluatorOption", "EvaluatorOutput"]

NEEDED = object()
"""The default of an option that has to be given."""

OutputKind = Literal["binary", "score", "text"]


@dataclass(frozen=True, slots=True)
class EvaluatorInput:
    """A value that an evaluator takes for each line, as it stands in the data or in what the flow gave.

    It is ``optional`` when null or nothing at all may stand for it. The option ``unless`` takes its place when given.
    ``usual`` is the mapping that holds when the evaluator has none for it.
    """

    name: str
    meaning: str
    optional: bool = False
    unless: str | None = None
    usual: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluatorOutput:
    """A value that an evaluator gives for each line; null is no value, and does not count in the mean.

    ``binary`` is 0 or 1, ``score`` a number from ``low`` to ``high`` (None: without bound), ``text`` for people to
    read. The mean over the lines is the run's metric ``metric``, of the same name unless another is given.
    ``higher_is_better`` is None where neither is.
    """

    name: str
    meaning: str
    kind: OutputKind = "score"
    higher_is_better: bool | None = True
    low: float | None = 0.0
    high: float | None = 1.0
    metric: str = ""

    def __post_init__(self) -> None:
        if not self.metric and self.kind != "text":
            object.__setattr__(self, "metric", self.name)


@dataclass(frozen=True, slots=True)
class EvaluatorMetric:
    """A metric of the whole run beside the means of outputs; it may be a table, which is neither better nor worse."""

    name: str
    meaning: str
    higher_is_better: bool | None = True
    low: float | None = 0.0
    high: float | None = 1.0


@dataclass(frozen=True, slots=True)
class EvaluatorOption:
    """An argument of the evaluator itself, the same for all lines. ``is_file``: a text is the path of a file, seen from
    the folder of ``experiment.yaml`` or the working directory. ``is_run``: it is the name of a run, and the evaluator
    gets that run's folder.
    """

    name: str
    meaning: str
    default: Any = None
    is_file: bool = False
    is_run: bool = False

    @property
    def is_needed(self) -> bool:
        return self.default is NEEDED


@dataclass(frozen=True, slots=True)
class BuiltinEvaluator:
    """An evaluator under the name that ``type:`` has for it.

    ``entry`` is ``module:Class``; an instance is made with the options by name and called with the inputs by name.
    ``model_calls`` is how often it asks a model for one line, as often again for each time that the number in the
    option ``times`` says. It runs in this process unless it stands ``apart``, in workers, because a line may never end.
    """

    name: str
    entry: str
    summary: str
    inputs: tuple[EvaluatorInput, ...]
    outputs: tuple[EvaluatorOutput, ...]
    options: tuple[EvaluatorOption, ...] = ()
    metrics: tuple[EvaluatorMetric, ...] = ()
    model_calls: int = 0
    times: str | None = None
    requires: str | None = None
    apart: bool = False

    def calls_of(self, options: Mapping[str, Any]) -> int:
        """How often it asks a model for one line when it has these options."""
        if self.times is None:
            return self.model_calls
        usual = next((each.default for each in self.options if each.name == self.times), 1)
        times = options.get(self.times, usual)
        return self.model_calls * (times if isinstance(times, int) else 1)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "name": self.name,
            "summary": self.summary,
            "inputs": [_plain(each) for each in self.inputs],
            "outputs": [_plain(each) for each in self.outputs],
            "metrics": [_plain(each) for each in self.metrics],
            "options": [_plain(each) | {"needed": each.is_needed} for each in self.options],
            "model_calls": self.model_calls,
            "requires": self.requires,
        }


def _plain(value: Any) -> dict[str, Any]:
    return {
        name: None if getattr(value, name) is NEEDED else getattr(value, name)
        for name in type(value).__dataclass_fields__
    }
