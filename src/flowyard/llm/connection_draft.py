"""Drafts: connections as files and ``--set`` describe them, before their secrets are known and anything is checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import read_yaml
from flowyard.errors import Conflict, UserError
from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_parsing import flatten_connection, is_placeholder, kind_of, parse_connection
from flowyard.llm.envfile import read_env

__all__ = ["ASK", "Draft", "draft_of", "read_draft"]

ASK = "<user-input>"
"""A secret's text that asks for it each time, also where one is stored already."""

_PARTS = ("configs", "secrets")
_FIXED = ("name", "type")
_SHORT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,23}")


@dataclass(frozen=True, slots=True)
class Draft:
    """``values`` by path: a field such as ``api_key``, or ``secrets.token`` for a custom connection.

    ``where`` names the source in errors.
    """

    kind: type[Connection]
    values: Mapping[str, Any] = field(repr=False)
    where: str
    name: str | None = None
    folder: Path | None = None

    def is_secret(self, path: str) -> bool:
        """Whether the value at a path is a secret."""
        return path.startswith("secrets.") if issubclass(self.kind, CustomConnection) else path in self.kind.SECRETS

    def path(self, key: str) -> str:
        """The path that ``--set`` means by a key. Raises UserError for a field that the connection cannot have."""
        if key in _FIXED:
            raise UserError(f"--set cannot change the {key} of a connection.")
        if issubclass(self.kind, CustomConnection):
            return self._custom_path(key)
        path = self.kind.ALIASES.get(key, key)
        if path not in self.kind.FIELDS:
            hint = did_you_mean(key, self.kind.FIELDS) or f"Fields: {known_names(self.kind.FIELDS)}."
            raise UserError(f"--set {_shown(key)}: a connection of type {self.kind.TYPE} has no such field.", hint=hint)
        return path

    def with_set(self, sets: Mapping[str, str]) -> Draft:
        """With ``--set`` values over it; a placeholder for a secret changes nothing. Raises UserError."""
        said = Draft(self.kind, {self.path(key): value for key, value in sets.items()}, self.where)
        return replace(self, values=said.over(self).values)

    def with_values(self, values: Mapping[str, str]) -> Draft:
        """With values by path, as somebody typed them."""
        return replace(self, values={**self.values, **values})

    def over(self, current: Draft) -> Draft:
        """An update of ``current``: what is not said stays, and so does a secret whose value is a placeholder."""
        if self.kind is not current.kind:
            raise Conflict(
                f"Connection {current.name!r} is of type {current.kind.TYPE}, and {self.where} says {self.kind.TYPE}.",
                hint=f"Delete it first: flowyard connection delete -n '{current.name}'",
            )
        said = {path: value for path, value in self.values.items() if not self._keeps(path, value)}
        return replace(self, name=current.name, values={**current.values, **said})

    def completed(self, current: Draft) -> Draft:
        """The draft, with secrets whose values are placeholders taken from ``current``."""
        merged = self.over(current)
        kept = {path: merged.values.get(path, value) for path, value in self.values.items()}
        return replace(self, values=kept)

    def open_secrets(self, stored: Collection[str] = ()) -> list[str]:
        """Paths of the secrets that somebody has to be asked for; ``stored`` have a value that can stay."""
        return [
            path
            for path, value in self.values.items()
            if self.is_secret(path) and is_placeholder(_text(value)) and (path not in stored or _text(value) == ASK)
        ]

    def build(self, name: str) -> Connection:
        """The checked connection. Raises UserError with every problem."""
        blank = [path for path, value in self.values.items() if not self.is_secret(path) and _is_marker(value)]
        if blank:
            raise UserError(
                f"Connection {name!r} still has placeholders in: {known_names(blank)}.",
                hint=f"Add --set {blank[0]}=…",
                where=self.where,
            )
        return parse_connection(name, self._mapping(), self.where, self.folder)

    def _keeps(self, path: str, value: Any) -> bool:
        return self.is_secret(path) and is_placeholder(_text(value)) and _text(value) != ASK

    def _custom_path(self, key: str) -> str:
        part, dot, rest = key.partition(".")
        if dot and part in _PARTS and rest:
            return key
        matches = [path for path in self.values if path in (f"configs.{key}", f"secrets.{key}")]
        if len(matches) == 1:
            return matches[0]
        near = did_you_mean(key, self.values)
        shown = _shown(key)
        hint = near or f"Write --set secrets.{shown}=… for a secret, --set configs.{shown}=… for what may be shown."
        raise UserError(f"--set {shown}: a custom connection needs to know which part that is.", hint=hint)

    def _mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {"type": self.kind.TYPE}
        custom = issubclass(self.kind, CustomConnection)
        for path, value in self.values.items():
            part, dot, rest = path.partition(".")
            if custom and dot and part in _PARTS:
                mapping.setdefault(part, {})[rest] = value
            else:
                mapping[path] = value
        return mapping


def read_draft(path: Path, kind: type[Connection] | None = None) -> Draft:
    """The draft of a connection's YAML file, or of an ``.env`` file: a custom one whose variables are all secrets.

    ``kind`` is what a file without a ``type`` means; without it, its fields tell. Raises UserError, with
    file:line where there is one.
    """
    if path.suffix == ".env" or path.name.startswith(".env"):
        secrets = {f"secrets.{key}": value for key, value in read_env(path).items()}
        return Draft(CustomConnection, secrets, path.name, folder=path.parent)
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UserError(f"{path} is not a connection file.", hint="It is a .yaml or .yml file, or an .env file.")
    file = read_yaml(path)
    if not isinstance(file.data, dict):
        raise UserError("A connection file must be a mapping.", where=f"{path.name}:1")
    name = str(file.data.get("name") or "") or None
    fields = flatten_connection(file.data)
    if kind is None or "type" in fields:
        kind = kind_of(name or path.stem, fields, file.where("type"))
    values = dict(_paths(kind, {key: value for key, value in fields.items() if key not in _FIXED}))
    return Draft(kind, values, file.where(), name, path.resolve().parent)


def draft_of(connection: Connection) -> Draft:
    """A connection back as a draft."""
    if isinstance(connection, CustomConnection):
        parts: dict[str, Any] = {"configs": connection.configs, "secrets": connection.secrets}
    else:
        parts = {**connection.configs, **connection.secrets}
    kind = type(connection)
    set_fields = {key: value for key, value in parts.items() if value is not None}
    return Draft(kind, dict(_paths(kind, set_fields)), str(connection.name), connection.name)


def _paths(kind: type[Connection], fields: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in fields.items():
        if issubclass(kind, CustomConnection) and key in _PARTS and isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", text) for inner, text in value.items())
        else:
            yield kind.ALIASES.get(key, key), value


def _shown(key: str) -> str:
    """A key for an error; a secret that was given without its name (and ends with ``=``) is not repeated."""
    return key if _SHORT_NAME.fullmatch(key) else "…"


def _text(value: Any) -> str:
    return str(value if value is not None else "").strip()


def _is_marker(value: Any) -> bool:
    text = _text(value)
    return text.startswith("<") and text.endswith(">")
