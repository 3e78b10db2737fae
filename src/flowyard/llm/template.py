"""Prompt templates: Jinja2 in an immutable sandbox, always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError

__all__ = ["PromptFile", "load_template", "parse_template", "render"]

_environment: Environment = ImmutableSandboxedEnvironment(trim_blocks=True, keep_trailing_newline=True)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A parsed template; ``variables`` are the names it reads and does not set itself, ``text`` its source."""

    label: str
    template: Template
    variables: frozenset[str]
    text: str = ""

    def holes(self, given: Iterable[str], node: str) -> tuple[str, ...]:
        """A warning for each name that the node does not give, which therefore renders empty."""
        known = sorted(given)
        return tuple(
            f"{self.label}: the prompt reads {name!r}, which node {node!r} does not give, so it renders empty. "
            f"{did_you_mean(name, known) or f'The node gives: {known_names(known)}.'}"
            for name in sorted(self.variables.difference(known))
        )


def load_template(path: Path) -> PromptFile:
    """Parse a template file. Raises UserError with file:line."""
    return parse_template(path.read_text(encoding="utf-8-sig"), path.name)


def parse_template(text: str, label: str, first_line: int = 1) -> PromptFile:
    """Parse template text; ``label`` names its file in errors, ``first_line`` is where the text starts in it."""
    try:
        free = meta.find_undeclared_variables(_environment.parse(text)).difference(_environment.globals)
        return PromptFile(label, _environment.from_string(text), frozenset(free), text)
    except TemplateSyntaxError as error:
        where = f"{label}:{error.lineno + first_line - 1}"
        raise UserError(f"The prompt template is not valid: {error.message}", where=where) from None


def render(prompt: PromptFile, variables: dict[str, Any]) -> str:
    """Render a template; a missing variable renders empty. Raises ValueError with Jinja's reason."""
    try:
        return prompt.template.render(variables)
    except TemplateError as error:
        raise ValueError(f"Failed to render the prompt: {type(error).__name__}: {error}") from error
