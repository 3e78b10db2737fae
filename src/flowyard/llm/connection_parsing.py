"""From a mapping (a YAML file, a JSON variable, environment fields) to a checked connection."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.llm.connection import (
    AzureAIServicesConnection,
    AzureContentSafetyConnection,
    AzureOpenAIConnection,
    CognitiveSearchConnection,
    Connection,
    CustomConnection,
    FormRecognizerConnection,
    OpenAIConnection,
    QdrantConnection,
    SerpConnection,
    ServerlessConnection,
    SimulatedConnection,
    WeaviateConnection,
)

__all__ = [
    "CONNECTION_TYPES",
    "connection_class",
    "fill_from_environment",
    "flatten_connection",
    "is_placeholder",
    "kind_of",
    "parse_connection",
]

CONNECTION_TYPES: Mapping[str, type[Connection]] = {
    kind.TYPE: kind
    for kind in (
        AzureOpenAIConnection,
        OpenAIConnection,
        ServerlessConnection,
        CognitiveSearchConnection,
        AzureAIServicesConnection,
        AzureContentSafetyConnection,
        FormRecognizerConnection,
        SerpConnection,
        QdrantConnection,
        WeaviateConnection,
        CustomConnection,
        SimulatedConnection,
    )
}
"""The class of each type, by the spelling that YAML files use."""

_OTHER_SPELLINGS = {"azure": "azure_open_ai", "azuread": "azure_open_ai", "contentsafety": "azure_content_safety"}
_ABOUT_THE_FILE = frozenset({"$schema", "name", "type", "module", "tags", "created_date", "last_modified_date"})
_FROM_ENVIRONMENT = re.compile(r"\$\{env:([^}]+)\}")
_CUSTOM_MARKS = ("custom_type", "module", "package", "package_version")


def connection_class(kind: str) -> type[Connection] | None:
    """The class for any spelling of a type: ``azure_open_ai``, ``AzureOpenAI``, ``azure_openai``, class names."""
    plain = _squeeze(kind)
    spelled = {_squeeze(name): name for name in CONNECTION_TYPES} | _OTHER_SPELLINGS
    found = spelled.get(plain) or spelled.get(plain.removesuffix("connection"))
    return CONNECTION_TYPES[found] if found else None


def parse_connection(name: str, mapping: Mapping[str, Any], where: str, folder: Path | None = None) -> Connection:
    """The connection that a mapping describes.

    ``where`` names the source in errors; a relative ``rules`` path is resolved against ``folder``. Raises UserError
    with every problem found: unknown type, unknown fields, missing fields, values of a wrong kind.
    """
    fields = flatten_connection(mapping)
    wanted = kind_of(name, fields, where)
    if issubclass(wanted, CustomConnection):
        return _parse_custom(name, fields, where)
    values, problems = _field_values(wanted, fields)
    if wanted is SimulatedConnection and values.get("rules"):
        values["rules"] = str((folder or Path()) / Path(values["rules"]).expanduser())
    connection: Connection = wanted(**values, name=name)
    missing = connection.missing_fields()
    if missing:
        problems.insert(0, f"missing {', '.join(missing)}")
    _raise_problems(name, wanted, problems, where)
    return connection


def is_placeholder(value: Any) -> bool:
    """Whether a secret's text only marks its place: empty, ``******`` or ``<your-key>``."""
    text = str(value).strip()
    return not text.strip("*") or (text.startswith("<") and text.endswith(">"))


def fill_from_environment(
    value: Any, environ: Mapping[str, str], where: Callable[..., str], keys: tuple[str | int, ...] = ()
) -> Any:
    """The value with each ``${env:NAME}`` in its texts replaced.

    ``where(*keys)`` is the place of a text in errors. Raises UserError for a variable that is not set.
    """
    if isinstance(value, Mapping):
        return {key: fill_from_environment(inner, environ, where, (*keys, key)) for key, inner in value.items()}

    def variable(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in environ:
            message = f"The environment variable {name} is not set."
            raise UserError(message, where=where(*keys), hint=f"export {name}=…")
        return environ[name]

    return _FROM_ENVIRONMENT.sub(variable, value) if isinstance(value, str) else value


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def flatten_connection(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as YAML files write them; prompt flow also has ``{"type", "value": {…}, "secret_keys": […]}``."""
    value = mapping.get("value")
    if not isinstance(value, Mapping):
        return {str(key): item for key, item in mapping.items()}
    kind = str(mapping.get("type", ""))
    if connection_class(kind) is not CustomConnection:
        return {"type": kind, **{str(key): item for key, item in value.items()}}
    secret = set(mapping.get("secret_keys") or ())
    return {
        "type": kind,
        "configs": {key: item for key, item in value.items() if key not in secret},
        "secrets": {key: item for key, item in value.items() if key in secret},
    }


def kind_of(name: str, fields: Mapping[str, Any], where: str) -> type[Connection]:
    """The class that the fields ask for, by their ``type`` or by their names. Raises UserError for an unknown type."""
    said = fields.get("type") or fields.get("api_type")
    if said:
        found = connection_class(str(said))
        if found is None:
            hint = (
                did_you_mean(str(said), CONNECTION_TYPES) or f"Known types: {known_names(CONNECTION_TYPES, most=20)}."
            )
            raise UserError(f"Connection {name!r} has the unknown type {str(said)!r}.", hint=hint, where=where)
        return found
    if "configs" in fields or "secrets" in fields:
        return CustomConnection
    azure_host = ".azure.com" in str(fields.get("api_base", ""))
    if "azure_endpoint" in fields or azure_host or ("api_base" in fields and "api_version" in fields):
        return AzureOpenAIConnection
    return OpenAIConnection


def _field_values(wanted: type[Connection], fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for given, value in fields.items():
        field = wanted.ALIASES.get(given, given)
        if field not in wanted.FIELDS:
            if given not in _ABOUT_THE_FILE and given != "api_type":
                problems.append(_unknown(given, wanted))
            continue
        text = _scalar(value)
        if text is None and value is not None:
            problems.append(f"{given} must be a single value")
        elif field == "seed" and text is not None:
            _add_seed(text, values, problems)
        elif text and not (field in wanted.SECRETS and is_placeholder(text)):
            values[field] = text
    return values, problems


def _unknown(given: str, wanted: type[Connection]) -> str:
    near = did_you_mean(given, [*wanted.FIELDS, *wanted.ALIASES])
    return f"unknown field {given!r}" + (f" ({near})" if near else "")


def _add_seed(text: str, values: dict[str, Any], problems: list[str]) -> None:
    try:
        values["seed"] = int(text)
    except ValueError:
        problems.append("seed must be a whole number")


def _scalar(value: Any) -> str | None:
    """The text of a scalar (YAML reads an unquoted API version as a date); None for anything else."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return str(value).strip()
    return None


def _parse_custom(name: str, fields: Mapping[str, Any], where: str) -> CustomConnection:
    problems: list[str] = []
    parts: dict[str, dict[str, Any]] = {}
    for part in ("configs", "secrets"):
        given = fields.get(part) or {}
        if not isinstance(given, Mapping):
            problems.append(f"{part} must be a mapping of names to values")
            given = {}
        parts[part] = {str(key): value if isinstance(value, str) else _scalar(value) for key, value in given.items()}
    problems += [f"missing secrets.{key}" for key, value in parts["secrets"].items() if value and is_placeholder(value)]
    known = {*CustomConnection.FIELDS, *_ABOUT_THE_FILE, "api_type"}
    problems += [_unknown(key, CustomConnection) for key in fields if key not in known]
    if not parts["configs"] and not parts["secrets"]:
        problems.insert(0, "missing secrets")
    _raise_problems(name, CustomConnection, problems, where)
    if fields.get("custom_type"):
        marks = {f"promptflow.connection.{mark}": str(fields[mark]) for mark in _CUSTOM_MARKS if fields.get(mark)}
        parts["configs"].update(marks)
    return CustomConnection(secrets=parts["secrets"], configs=parts["configs"], name=name)


def _raise_problems(name: str, wanted: type[Connection], problems: list[str], where: str) -> None:
    if problems:
        raise UserError(
            f"Connection {name!r} ({wanted.TYPE}): {'; '.join(problems)}.",
            hint=f"Fields of {wanted.TYPE}: {known_names(wanted.FIELDS)}.",
            where=where,
        )
