"""``experiment.yaml`` and its overlays."""

from __future__ import annotations

from typing import Any

from flowyard.experiments.schema import IGNORED_IN_OVERLAYS, ExperimentSchema, OverlaySchema
from flowyard.schemas.evaluators import option_rules
from flowyard.schemas.experiment_blocks import experiment_blocks
from flowyard.schemas.forms import Schema, or_nothing, said
from flowyard.schemas.models import described_keys, model_schema

__all__ = ["experiment_schema", "overlay_schema"]


def experiment_schema() -> Schema:
    """The schema of ``experiment.yaml``."""
    return _with_blocks(model_schema(ExperimentSchema))


def overlay_schema() -> Schema:
    """The schema of ``experiment.<env>.yaml``, in which each block may be missing or cleared."""
    made = _with_blocks(model_schema(OverlaySchema))
    for name in IGNORED_IN_OVERLAYS:
        made["properties"][name] = said(made["properties"][name], "Ignored in an overlay")
    return made


def _with_blocks(schema: Schema) -> Schema:
    keys: dict[str, Any] = schema["properties"]
    words = described_keys()["ExperimentSchema"]
    keys |= {name: said(form, words[name]) for name, form in keys.items() if name in words}
    parts = dict(schema["$defs"])
    for name, block in experiment_blocks().items():
        parts |= block.pop("$defs", {})
        keys[name] = said(or_nothing(block), words[name])
    parts["_Evaluator"] = {**parts["_Evaluator"], "allOf": option_rules()}
    return {**schema, "$defs": parts}
