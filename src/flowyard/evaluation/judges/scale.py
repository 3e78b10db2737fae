"""What a judge may say, and the number that each answer stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.numbers import is_finite
from flowyard._util.suggest import known_names
from flowyard.errors import UserError

__all__ = ["ONE_TO_FIVE", "Choice", "Scale", "parse_scale"]

Choice = int | str
"""What the model writes: a whole number of a scale, or a label."""

_MOST_CHOICES = 101
_FEWEST_CHOICES = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """The choices of a judge with their numbers, from the lowest to the highest.

    ``meanings`` says of a choice when it is right; it may be empty. ``has_labels`` is False for whole numbers.
    """

    numbers: Mapping[Choice, float]
    has_labels: bool = False
    meanings: Mapping[Choice, str] = field(default_factory=dict)

    @property
    def low(self) -> float:
        return min(self.numbers.values())

    @property
    def high(self) -> float:
        return max(self.numbers.values())

    @property
    def text(self) -> str:
        """The choices as a prompt names them: ``a whole number from 1 to 5`` or ``"bad" or "good"``."""
        if not self.has_labels:
            return f"a whole number from {self.low:g} to {self.high:g}"
        return " or ".join(f'"{label}"' for label in self.numbers)

    def label_of(self, number: float) -> str | None:
        """The label that stands for a number; None without labels, and for what lies between two of them."""
        if not self.has_labels:
            return None
        return next((str(label) for label, each in self.numbers.items() if each == number), None)


def _whole_numbers(low: int, high: int) -> dict[Choice, float]:
    return {number: float(number) for number in range(low, high + 1)}


ONE_TO_FIVE = Scale(_whole_numbers(1, 5))
"""The scale of every judge that says nothing else."""


def parse_scale(scale: Any = None, labels: Any = None, meanings: Any = None) -> Scale:
    """A scale ``[low, high]`` of whole numbers, or labels: a list from worst to best (0, 1, …), or ``{label: number}``.

    ``meanings`` is ``{choice: text}``. Raises UserError.
    """
    if scale is not None and labels is not None:
        raise UserError("A judge has either 'scale' or 'labels', not both.", hint="Leave out one of them.")
    numbers = _of_labels(labels) if labels is not None else _of_scale([1, 5] if scale is None else scale)
    return Scale(numbers, labels is not None, _meanings(meanings, numbers))


def _of_scale(scale: Any) -> dict[Choice, float]:
    ends = list(scale) if isinstance(scale, Sequence) and not isinstance(scale, str) else []
    if len(ends) != _FEWEST_CHOICES or not all(isinstance(end, int) and not isinstance(end, bool) for end in ends):
        raise UserError("'scale' must be two whole numbers, [lowest, highest].", hint="For example: scale: [1, 5]")
    low, high = ends
    if not 0 < high - low < _MOST_CHOICES:
        raise UserError(f"'scale' must go up, by at most {_MOST_CHOICES - 1}; it is [{low}, {high}].")
    return _whole_numbers(low, high)


def _of_labels(labels: Any) -> dict[Choice, float]:
    if isinstance(labels, Mapping):
        pairs = list(labels.items())
    elif isinstance(labels, Sequence) and not isinstance(labels, str):
        pairs = [(label, place) for place, label in enumerate(labels)]
    else:
        pairs = []
    if not _FEWEST_CHOICES <= len(pairs) <= _MOST_CHOICES or len({label for label, _ in pairs}) < len(pairs):
        hint = "For example: labels: [wrong, right], or labels: {wrong: 0, partly: 0.5, right: 1}"
        raise UserError("'labels' must be at least two different texts, from worst to best.", hint=hint)
    for label, number in pairs:
        if not isinstance(label, str) or not label.strip():
            hint = "Put it in quotes: YAML reads yes, no, on, off and numbers as something else."
            raise UserError(f"'labels' must be texts; {label!r} is none.", hint=hint)
        if isinstance(number, bool) or not is_finite(number):
            raise UserError(f"'labels': the number of {label!r} is {number!r}, which is none.")
    return {label: float(number) for label, number in sorted(pairs, key=lambda pair: pair[1])}


def _meanings(meanings: Any, numbers: Mapping[Choice, float]) -> dict[Choice, str]:
    if meanings is None:
        return {}
    if not isinstance(meanings, Mapping) or not set(meanings) <= set(numbers):
        raise UserError(f"'meanings' must be texts by choice; the choices are {known_names(map(str, numbers))}.")
    return {choice: str(meanings[choice]) for choice in numbers if choice in meanings}
