"""``flowyard.yaml`` of a repository, and ``run.yaml``, whose form is prompt flow's."""

from __future__ import annotations

from flowyard.config import ALLOWED_VALUES, BOOLEANS, KEYS
from flowyard.runs.run_file import READ_KEYS, RUN_KEYS
from flowyard.schemas.forms import NAME, Schema, choice, said
from flowyard.schemas.models import described_keys

__all__ = ["project_schema", "run_schema"]

_TYPES = {dict: "object", str: "string", bool: "boolean"}


def project_schema() -> Schema:
    """The schema of a configuration file: a mapping of settings for each first word of their names."""
    sections: dict[str, dict[str, Schema]] = {}
    for key, meaning in KEYS.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = said(_value(key), meaning)
    inner = {
        name: {
            "type": "object",
            "properties": keys,
            "additionalProperties": False,
            "description": f"{name}.{', '.join(keys)}",
        }
        for name, keys in sections.items()
    }
    return {"type": ["object", "null"], "properties": inner, "additionalProperties": False}


def run_schema() -> Schema:
    """The schema of ``run.yaml``; unknown keys are let pass with a warning, as the reader does."""
    words = described_keys()["run"]
    keys: dict[str, Schema] = {key: {} for key in RUN_KEYS}
    keys |= {key: {"type": [*(_TYPES[each] for each in types), "null"]} for key, types in READ_KEYS.items()}
    made = {key: said(form, words.get(key, "For runs in the cloud")) for key, form in keys.items()}
    return {"type": "object", "minProperties": 1, "properties": made}


def _value(key: str) -> Schema:
    if key == "telemetry.enabled":
        return choice((True, False, *BOOLEANS))
    return choice(ALLOWED_VALUES[key]) if key in ALLOWED_VALUES else NAME
