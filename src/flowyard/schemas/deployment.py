"""``deployment.yaml``: the options of an environment are those of its target."""

from __future__ import annotations

from flowyard.deploy.config.file import DeploymentFile
from flowyard.deploy.options import OPTIONS
from flowyard.schemas.forms import Schema
from flowyard.schemas.models import model_schema

__all__ = ["deployment_schema"]


def deployment_schema() -> Schema:
    """The schema of ``deployment.yaml``."""
    schema = model_schema(DeploymentFile)
    parts = dict(schema["$defs"])
    rules = []
    for target, model in OPTIONS.items():
        options = model_schema(model)
        parts |= options.pop("$defs", {})
        parts[model.__name__] = options
        then = {"properties": {"options": {"$ref": f"#/$defs/{model.__name__}"}}}
        rules.append({"if": {"properties": {"target": {"const": target}}, "required": ["target"]}, "then": then})
    parts["_Environment"] = {**parts["_Environment"], "allOf": rules}
    return {**schema, "$defs": parts}
