"""``ab.yaml``: a step of the ramp may be its share alone."""

from __future__ import annotations

from flowyard.ab.policy.file import AbFile
from flowyard.schemas.forms import Schema, either
from flowyard.schemas.models import model_schema

__all__ = ["ab_schema"]


def ab_schema() -> Schema:
    """The schema of ``ab.yaml``."""
    schema = model_schema(AbFile)
    ramp = schema["properties"]["ramp"]
    share = schema["$defs"]["_Step"]["properties"]["share"]
    keys = {**schema["properties"], "ramp": {**ramp, "items": either(share, ramp["items"])}}
    return {**schema, "properties": keys}
