"""The names of ``promptflow.tools.template_rendering``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.engine.tool import tool
from flowyard.tools.direct import render_text

__all__ = ["render_template_jinja2"]


@tool
def render_template_jinja2(template: str, **values: Any) -> str:
    """A prompt's template rendered to text."""
    values.pop("_inputs_to_escape", None)
    return render_text(template, **values)


__getattr__ = uncovered_names("promptflow.tools.template_rendering")
