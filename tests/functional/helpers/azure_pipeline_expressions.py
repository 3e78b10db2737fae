"""The part of Azure DevOps' expressions that generated pipelines use, evaluated as it is documented.

https://learn.microsoft.com/azure/devops/pipelines/process/expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Expressions", "names_in"]

_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\['[^']*'\])*)|([(),]))")


class Expressions:
    """``contexts`` are what names begin with. ``status`` says what ``succeeded()`` and its like come to."""

    def __init__(self, contexts: Mapping[str, Any], status: Mapping[str, bool] | None = None) -> None:
        self.contexts = contexts
        self.functions: Mapping[str, Callable[..., Any]] = {
            "and": lambda *values: all(map(_true, values)),
            "eq": lambda one, other: _text(one).lower() == _text(other).lower(),
            "in": lambda one, *others: _text(one).lower() in [_text(each).lower() for each in others],
            "lower": lambda value: _text(value).lower(),
            "ne": lambda one, other: _text(one).lower() != _text(other).lower(),
            "not": lambda value: not _true(value),
            **{name: (lambda said=said: said) for name, said in (status or {}).items()},
        }

    def evaluate(self, text: str) -> Any:
        """One expression; what is not known fails."""
        tokens, end = [], 0
        while text[end:].strip():
            found = _TOKEN.match(text, end)
            assert found, f"no expression that is generated: {text!r}"
            tokens.append(found)
            end = found.end()
        value, rest = self._one(tokens)
        assert not rest, text
        return value

    def _one(self, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        first, rest = tokens[0], tokens[1:]
        if first[1] is not None:
            return first[1].replace("''", "'"), rest
        if not rest or rest[0][3] != "(":
            return self._named(first[2]), rest
        rest, values = rest[1:], []
        while rest[0][3] != ")":
            value, rest = self._one(rest[1:] if rest[0][3] == "," else rest)
            values.append(value)
        return self.functions[first[2]](*values), rest[1:]

    def _named(self, name: str) -> Any:
        if name in ("true", "false"):
            return name == "true"
        value: Any = self.contexts
        for key in names_in(name):
            assert isinstance(value, Mapping), name
            assert key in value or value is not self.contexts, name
            value = value.get(key, "")
            if value == "":
                return ""
        return value


def names_in(name: str) -> list[str]:
    """``a.b['c.d']`` as its parts."""
    return [inner or plain for plain, inner in re.findall(r"([A-Za-z_][\w-]*)|\['([^']*)'\]", name)]


def _true(value: Any) -> bool:
    return value is True or _text(value).lower() == "true"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
