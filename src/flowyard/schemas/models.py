"""JSON schemas of pydantic models, with a description of every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flowyard._util.yamlfile import read_yaml
from flowyard.schemas.forms import Schema

__all__ = ["described", "described_keys", "model_schema"]

_WORDS = Path(__file__).with_name("descriptions.yaml")


@lru_cache(maxsize=1)
def described_keys() -> Mapping[str, Mapping[str, str]]:
    """What is said of each key, by the name of its model."""
    found: dict[str, dict[str, str]] = read_yaml(_WORDS).data
    return found


def model_schema(model: type[BaseModel]) -> Schema:
    """The schema of what the model takes from a file; the parts that it is made of are in ``$defs``."""
    made = _plain(model.model_json_schema(mode="validation"))
    parts = made.pop("$defs", {})
    schema = described(made, model.__name__)
    return {**schema, "$defs": {name: described(part, name) for name, part in parts.items()}} if parts else schema


def described(schema: Schema, name: str) -> Schema:
    """The schema of a model with the description of each of its keys, where there is one."""
    said = described_keys().get(name, {})
    keys = schema.get("properties", {})
    return {
        **{key: value for key, value in schema.items() if key != "description"},  # is for who reads the code
        **({"properties": {key: _with(part, said.get(key)) for key, part in keys.items()}} if keys else {}),
    }


def _with(part: Schema, description: str | None) -> Schema:
    return {**part, "description": description} if description else part


def _plain(value: Any, *, names: bool = False) -> Any:
    """Without titles, which say the key again, and without defaults that are no text, number or truth value.

    ``names`` says that the keys are those of a file.
    """
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {
        key: _plain(each, names=key in ("properties", "$defs") and not names)
        for key, each in value.items()
        if names or key != "title"
    }
    if not names and "default" in inner and not _is_shown(inner):
        del inner["default"]
    return inner


def _is_shown(schema: Schema) -> bool:
    """Whether the default is one that may stand in a file; a duration's is in another form."""
    default, pattern = schema["default"], schema.get("pattern")
    if not isinstance(default, str | int | float):
        return False
    return pattern is None or (isinstance(default, str) and re.search(pattern, default) is not None)
