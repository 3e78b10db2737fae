"""YAML text of plain values, in the order that they are given."""

from __future__ import annotations

from io import StringIO
from typing import Any

from ruamel.yaml import YAML

__all__ = ["yaml_text"]


def yaml_text(value: Any, comment: str = "") -> str:
    """The value as YAML, below a comment of one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    yaml.allow_unicode = True
    text = StringIO()
    yaml.dump(value, text)
    return f"# {comment}\n{text.getvalue()}" if comment else text.getvalue()
