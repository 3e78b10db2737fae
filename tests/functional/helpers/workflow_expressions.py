"""The part of GitHub's expressions that generated workflows use, evaluated as GitHub documents it.

https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Expressions", "template_parts"]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(==|!=|&&|\|\||[!(),])|(\d+))")
_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def template_parts(text: str) -> list[str]:
    """What stands in ``${{ }}``."""
    return [found.strip() for found in _TEMPLATE.findall(text)]


class Expressions:
    """``contexts`` are what names begin with; a context that is not there fails, as what GitHub does not know does.

    ``failed`` and ``cancelled`` are what the status functions tell.
    """

    def __init__(self, contexts: Mapping[str, Any], *, failed: bool = False, cancelled: bool = False) -> None:
        self.contexts = contexts
        self.functions: Mapping[str, Callable[..., Any]] = {
            "always": lambda: True,
            "success": lambda: not failed and not cancelled,
            "failure": lambda: failed,
            "cancelled": lambda: cancelled,
            "fromJSON": json.loads,
            "format": lambda text, *values: re.sub(r"\{(\d+)\}", lambda found: _text(values[int(found[1])]), text),
        }

    def fill(self, value: Any) -> Any:
        """The value with all of its expressions replaced; one that is nothing else keeps its type."""
        if isinstance(value, Mapping):
            return {key: self.fill(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each) for each in value]
        if not isinstance(value, str):
            return value
        if len(template_parts(value)) == 1 and _TEMPLATE.fullmatch(value.strip()):
            return self.evaluate(template_parts(value)[0])
        return _TEMPLATE.sub(lambda found: _text(self.evaluate(found[1])), value)

    def holds(self, condition: str | None) -> bool:
        """Whether an ``if`` holds: without a status function, only when all went well."""
        text = condition or "success()"
        whole = _TEMPLATE.fullmatch(text.strip())
        text = whole[1] if whole else text
        asks = re.search(r"\b(always|success|failure|cancelled)\(", text)
        return bool(self.evaluate(text)) and (bool(asks) or bool(self.functions["success"]()))

    def evaluate(self, text: str) -> Any:
        """One expression."""
        tokens, end = [], 0
        while text[end:].strip():
            found = _TOKEN.match(text, end)
            assert found, f"no expression that is generated: {text!r}"
            tokens.append(found)
            end = found.end()
        value, rest = self._either(tokens)
        assert not rest, text
        return value

    def _either(self, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        value, tokens = self._both(tokens)
        while tokens and tokens[0][3] == "||":
            other, tokens = self._both(tokens[1:])
            value = value or other
        return value, tokens

    def _both(self, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        value, tokens = self._compared(tokens)
        while tokens and tokens[0][3] == "&&":
            other, tokens = self._compared(tokens[1:])
            value = value and other
        return value, tokens

    def _compared(self, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        value, tokens = self._one(tokens)
        if tokens and tokens[0][3] in ("==", "!="):
            same = tokens[0][3] == "=="
            other, tokens = self._one(tokens[1:])
            return (_text(value).lower() == _text(other).lower()) == same, tokens
        return value, tokens

    def _one(self, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        first, rest = tokens[0], tokens[1:]
        if first[3] == "!":
            value, rest = self._one(rest)
            return not value, rest
        if first[3] == "(":
            value, rest = self._either(rest)
            return value, rest[1:]
        if first[1] is not None:
            return first[1][1:-1].replace("''", "'"), rest
        if first[4] is not None:
            return int(first[4]), rest
        if rest and rest[0][3] == "(":
            return self._called(first[2], rest[1:])
        return self._named(first[2]), rest

    def _called(self, name: str, tokens: list[re.Match[str]]) -> tuple[Any, list[re.Match[str]]]:
        values = []
        while tokens[0][3] != ")":
            value, tokens = self._either(tokens[1:] if tokens[0][3] == "," else tokens)
            values.append(value)
        return self.functions[name](*values), tokens[1:]

    def _named(self, name: str) -> Any:
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        context, *keys = name.split(".")
        value: Any = self.contexts[context]
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return "" if value is None else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
