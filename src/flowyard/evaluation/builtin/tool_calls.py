"""Whether an answer calls the expected tools with the expected arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import json_of, require_expected
from flowyard.evaluation.builtin.json_difference import JsonComparison, match_up

__all__ = ["ToolCallAccuracy"]

_ARGUMENTS = ("exact", "subset", "ignore")

Call = tuple[str, Any]
"""The name of a tool and its arguments."""


class ToolCallAccuracy:
    """Compares calls of tools in OpenAI's form, or as ``{name, arguments}``. Raises UserError for unknown options."""

    def __init__(self, ordered: bool = False, arguments: str = "exact", numeric_tolerance: float = 0.0) -> None:
        if arguments not in _ARGUMENTS:
            raise UserError(f"'arguments' is {arguments!r}.", hint=f"Write one of: {', '.join(_ARGUMENTS)}.")
        self._ordered = ordered
        self._ignores_arguments = arguments == "ignore"
        self._comparison = JsonComparison(tolerance=numeric_tolerance, partly=arguments == "subset")

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, float]:
        """``tool_call_accuracy``, ``tool_calls_match``, ``tool_names_match``.

        Raises LineError when it is not known which calls are expected.
        """
        try:
            expected = _calls(json_of(require_expected(ground_truth)))
        except (ValueError, TypeError) as error:
            raise LineError(f"'ground_truth' has no tool calls: {error}.", hint="Write [] for none.") from None
        try:
            made = _calls(json_of(answer))
        except (ValueError, TypeError):
            made = [("", None)]  # something that is no call of any tool
        most = max(len(expected), len(made))
        accuracy = self._right(made, expected) / most if most else 1.0
        names = [name for name, _ in made], [name for name, _ in expected]
        same_names = names[0] == names[1] if self._ordered else sorted(names[0]) == sorted(names[1])
        return {
            "tool_call_accuracy": accuracy,
            "tool_calls_match": int(accuracy == 1),
            "tool_names_match": int(same_names),
        }

    def _right(self, made: Sequence[Call], expected: Sequence[Call]) -> int:
        if self._ordered:
            return sum(self._same(one, other) for one, other in zip(made, expected, strict=False))
        partners = match_up([[self._same(one, other) for other in expected] for one in made])
        return sum(partner is not None for partner in partners)

    def _same(self, made: Call, expected: Call) -> bool:
        return made[0] == expected[0] and (self._ignores_arguments or self._comparison.same(made[1], expected[1]))


def _calls(value: Any) -> list[Call]:
    """The calls in a list of them, in one call, or in a message. Raises ValueError, TypeError."""
    if isinstance(value, Mapping) and "tool_calls" in value:
        value = value["tool_calls"]
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise TypeError(f"it is a {type(value).__name__}")
    return [_call(each) for each in value]


def _call(value: Any) -> Call:
    if not isinstance(value, Mapping):
        raise TypeError(f"one is a {type(value).__name__}")
    inner = value.get("function", value)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise TypeError("one has no name")
    arguments = inner.get("arguments", {})
    if isinstance(arguments, str):
        with suppress(ValueError):  # text that is no JSON is compared as text
            arguments = json_of(arguments) if arguments.strip() else {}
    return inner["name"], {} if arguments is None else arguments
