"""``flow.flex.yaml`` to a ``FlexFlow``."""

from __future__ import annotations

from flowyard._util.yamlfile import YamlFile
from flowyard.errors import UserError
from flowyard.flows.model import FlexFlow

__all__ = ["parse_flex"]


def parse_flex(file: YamlFile) -> FlexFlow:
    """A checked flow. Raises FlowInvalid listing every problem with its line."""
    raise UserError(f"{file.path} is a flex flow, which this version does not run.", where=file.where("entry"))
