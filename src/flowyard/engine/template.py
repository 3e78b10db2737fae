"""Prompt templates: Jinja2 in an immutable sandbox, always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from flowyard.errors import UserError

__all__ = ["load_template", "parse_template", "render"]

_environment: Environment = ImmutableSandboxedEnvironment(trim_blocks=True, keep_trailing_newline=True)


def load_template(path: Path) -> Template:
    """Parse a template file. Raises UserError with file:line."""
    return parse_template(path.read_text(encoding="utf-8-sig"), path.name)


def parse_template(text: str, label: str) -> Template:
    """Parse template text; ``label`` names it in errors."""
    try:
        return _environment.from_string(text)
    except TemplateSyntaxError as error:
        raise UserError(f"The prompt template is not valid: {error.message}", where=f"{label}:{error.lineno}") from None


def render(template: Template, variables: dict[str, Any]) -> str:
    """Render a template; a missing variable renders empty. Raises ValueError with Jinja's reason."""
    try:
        return template.render(variables)
    except TemplateError as error:
        raise ValueError(f"Failed to render the prompt: {type(error).__name__}: {error}") from error
