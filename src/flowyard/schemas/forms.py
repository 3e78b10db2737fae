"""Small parts of JSON schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["NAME", "NAMES", "NUMBER", "TEXT", "Schema", "choice", "either", "or_nothing", "said", "with_keys"]

Schema = dict[str, Any]
"""A JSON schema of draft 2020-12, or a part of one."""

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
NAMES: Schema = {"type": "array", "items": NAME}
NUMBER: Schema = {"type": "number"}


def choice(values: Collection[Any]) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


def either(*forms: Schema) -> Schema:
    """Any of several forms."""
    return {"anyOf": list(forms)}


def or_nothing(form: Schema) -> Schema:
    """The form, or a key without a value."""
    return either(form, {"type": "null"})


def said(form: Schema, description: str) -> Schema:
    """The form with what an editor shows of it."""
    return {**form, "description": description}


def with_keys(
    keys: Collection[str], forms: Mapping[str, tuple[Schema, str]], *, needed: Collection[str] = ()
) -> Schema:
    """A mapping that has these keys and no others, each with its form and description.

    ``keys`` are the ones that the reader of the block goes by. Raises ValueError when ``forms`` has others, so that no
    schema can know what its reader does not.
    """
    if set(keys) != set(forms):
        raise ValueError(f"The reader knows {sorted(keys)}, the schema {sorted(forms)}.")
    made: Schema = {
        "type": "object",
        "properties": {key: said(form, description) for key, (form, description) in forms.items()},
        "additionalProperties": False,
    }
    return {**made, "required": list(needed)} if needed else made
