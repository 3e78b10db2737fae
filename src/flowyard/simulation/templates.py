"""The Jinja texts and expressions of a rules file: checked when it is loaded, rendered in an immutable sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flowyard._util.suggest import did_you_mean, known_names

__all__ = ["VARIABLES", "Expression", "TemplateFailed", "Text", "render_values"]

VARIABLES = ("prompt", "system", "user", "model", "request", "match", "row", "number", "pick")


class TemplateFailed(Exception):
    """A template that was sound when loaded could not be rendered for this request."""


def _make_environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    # What draws from the process's own randomness would break "same seed, same answers".
    environment.globals.pop("lipsum", None)
    environment.filters.pop("random", None)
    return environment


_ENVIRONMENT = _make_environment()


class Text:
    """A compiled text template. Raises ValueError when it has a syntax error or an unknown variable."""

    def __init__(self, source: str) -> None:
        _check(source)
        self.source = source
        self._template = _ENVIRONMENT.from_string(source)

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text for these variables. Raises TemplateFailed."""
        try:
            return self._template.render(variables)
        except _RENDER_ERRORS as error:
            raise TemplateFailed(f"{self.source!r}: {error}") from error


class Expression:
    """A compiled expression that gives a number. Raises ValueError as Text does."""

    def __init__(self, source: str) -> None:
        _check("{{ " + source + " }}")
        self.source = source
        self._call = _ENVIRONMENT.compile_expression(source, undefined_to_none=False)

    def number(self, variables: Mapping[str, Any]) -> float:
        """The value for these variables. Raises TemplateFailed when it is not a number."""
        try:
            value: Any = self._call(**variables)
            return float(value)
        except _RENDER_ERRORS as error:
            raise TemplateFailed(f"{self.source!r}: {error}") from error


_RENDER_ERRORS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


def render_values(value: Any, variables: Mapping[str, Any]) -> Any:
    """A copy of a JSON value in which every Text is rendered. Raises TemplateFailed."""
    if isinstance(value, Text):
        return value.render(variables)
    if isinstance(value, dict):
        return {key: render_values(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [render_values(item, variables) for item in value]
    return value


def _check(source: str) -> None:
    try:
        tree = _ENVIRONMENT.parse(source)
        _ENVIRONMENT.from_string(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"not a valid Jinja template: {error.message}") from None
    known = {*VARIABLES, *_ENVIRONMENT.globals}
    for name in sorted(meta.find_undeclared_variables(tree) - known):
        hint = did_you_mean(name, VARIABLES) or f"Known: {known_names(VARIABLES)}."
        raise ValueError(f"unknown variable {name!r}. {hint}")
