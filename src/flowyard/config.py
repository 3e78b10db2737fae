"""Configuration files: what a person sets once, for all projects or for one.

The user's file is ``config.yaml`` in the user's folder, a project's file is ``flowyard.yaml`` at its root. The nearer
file wins: a project's value over the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from flowyard._util.files import write_atomic
from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import UserError

__all__ = [
    "ALLOWED_VALUES",
    "BOOLEANS",
    "KEYS",
    "PROJECT_FILE",
    "SECRET_PLACES",
    "USER_FILE",
    "ConfigValue",
    "check_key_vault",
    "read_config",
    "set_config",
]

PROJECT_FILE = "flowyard.yaml"
USER_FILE = "config.yaml"

SECRET_PLACES = ("auto", "keyring", "file")
"""The values of ``connection.secrets``."""

KEYS: Mapping[str, str] = {
    "connection.provider": "local: connections come from the environment, files and the local store",
    "connection.secrets": "where new secrets are kept: auto (the keyring if there is one), keyring or file",
    "connection.key_vault": "an Azure Key Vault that connections are read from, as https://NAME.vault.azure.net",
    "run.output_path": "the folder that runs and experiments are kept in",
    "store.url": "the PostgreSQL database that records of runs are kept in; without it, a file in the runs' folder",
    "registry.url": "where versions of data and flows are kept: mlflow+https://… or azureml://…; without it, the store",
    "registry.files": "the folder or URL (s3://…) of the registry's files; without it, a folder in the runs' folder",
    "tracking.url": "the MLflow that experiments are published to when they end: mlflow+https://…; without it, none",
    "trace.destination": "local or none; runs keep what their nodes did, and flowyard sends it nowhere",
    "telemetry.enabled": "flowyard has no telemetry, so that either value changes nothing",
}
"""The keys and what each means."""

_REGISTRIES = ("mlflow+", "azureml")
_OF_PROMPT_FLOW = ("service.host", "user_agent", "enable_internal_features", "cli.installation_id")
_WITHOUT_EFFECT = ("connection.provider", "trace.destination", "telemetry.enabled")
BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One setting: its value as written in ``file``; ``without_effect`` says why it changes nothing, if so."""

    key: str
    value: str | bool
    file: Path

    @property
    def path(self) -> Path:
        """The value as a folder; a relative one is meant from its file's folder."""
        return (self.file.parent / Path(str(self.value)).expanduser()).resolve()

    @property
    def without_effect(self) -> str | None:
        return KEYS[self.key] if self.key in _WITHOUT_EFFECT else None


def read_config(files: Iterable[Path]) -> dict[str, ConfigValue]:
    """The settings of all files, the nearest first; missing files count as empty.

    Raises UserError with file:line for an unknown key or a value that cannot be.
    """
    found: dict[str, ConfigValue] = {}
    for file in files:
        if file.is_file():
            found = {**_values(read_yaml(file)), **found}
    return {key: found[key] for key in KEYS if key in found}


def set_config(file: Path, values: Mapping[str, str]) -> dict[str, ConfigValue]:
    """Set keys in a file, which is made when it is missing; comments in it stay. Raises UserError and writes nothing.

    Returns what was set.
    """
    checked = {key: ConfigValue(key, _check(key, value, None), file) for key, value in values.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_file():
        _values(read_yaml(file))
    yaml = YAML()
    data = (yaml.load(file.read_text(encoding="utf-8-sig")) if file.is_file() else None) or {}
    for key, setting in checked.items():
        section, _, name = key.partition(".")
        data.setdefault(section, {})[name] = setting.value
    text = StringIO()
    yaml.dump(data, text)
    write_atomic(file, text.getvalue())
    return checked


def _values(file: YamlFile) -> dict[str, ConfigValue]:
    if file.data is None:
        return {}
    if not isinstance(file.data, dict):
        raise UserError("A configuration file must be a mapping.", where=f"{file.path}:1")
    for repeated in file.repeated:
        message = f"{repeated.key!r} is given twice: in line {repeated.first} and here."
        raise UserError(message, hint="Remove one of them.", where=f"{file.path}:{repeated.line}")
    found: dict[str, ConfigValue] = {}
    for section, inner in file.data.items():
        if not isinstance(inner, dict):
            raise _unknown(str(section), f"{file.path}:{file.line((str(section),))}")
        for name, value in inner.items():
            key = f"{section}.{name}"
            where = f"{file.path}:{file.line((str(section), str(name)))}"
            found[key] = ConfigValue(key, _check(key, value, where), file.path)
    return found


def _check(key: str, value: Any, where: str | None) -> str | bool:
    if key not in KEYS:
        raise _unknown(key, where)
    if key == "telemetry.enabled":
        return _boolean(key, value, where)
    text = str(value).strip()
    if not text or not isinstance(value, str):
        raise UserError(f"{key} takes a text, not {value!r}.", where=where)
    if key == "run.output_path":
        return _output_path(text, where)
    if key == "store.url":
        return _store_url(text, where)
    if key in ("registry.url", "registry.files", "tracking.url"):
        return _plain_url(key, text, where)
    if key == "connection.key_vault":
        return check_key_vault(text, where)
    if text not in ALLOWED_VALUES[key]:
        raise UserError(f"{key} cannot be {text!r}.", hint=_HINTS[key], where=where)
    return text


ALLOWED_VALUES = {
    "connection.provider": ("local",),
    "connection.secrets": SECRET_PLACES,
    "trace.destination": ("local", "none"),
}
_HINTS = {
    "connection.secrets": f"It can be {known_names(SECRET_PLACES)}.",
    "connection.provider": "A workspace of Azure ML is named by PROMPTFLOW_CONNECTION_PROVIDER=azureml://…\n"
    "Or export what you need into the environment or a .env file, store it with 'flowyard connection create',\n"
    "or let a service answer for it:\n"
    "export PF_HTTP_CONNECTION_PROVIDER_ENDPOINT=https://… (read last, after the local store)",
    "trace.destination": "It can be local or none.",
}


def _boolean(key: str, value: Any, where: str | None) -> bool:
    text = str(value).strip().lower()
    if text not in BOOLEANS:
        raise UserError(f"{key} is true or false, not {value!r}.", where=where)
    return BOOLEANS[text]


def _output_path(text: str, where: str | None) -> str:
    if "${" in text:
        raise UserError(
            f"run.output_path cannot be {text!r}: runs of all flows are kept in one folder, where 'run list' looks.",
            hint="Name a folder. A project's own file can differ: flowyard config set run.output_path=… --path DIR",
            where=where,
        )
    return text


def _store_url(text: str, where: str | None) -> str:
    """The URL, which no message repeats, since it may hold a password."""
    parts = urlsplit(text)
    if parts.scheme not in ("postgresql", "postgres"):
        raise UserError(
            "store.url is none that flowyard knows.", hint="Write postgresql://USER@HOST/DATABASE.", where=where
        )
    if parts.password is not None or "password=" in parts.query:
        raise UserError(
            "store.url has a password in it, which does not belong into a configuration file.",
            hint="Leave it out and set PGPASSWORD or write ~/.pgpass; or set the whole URL as FLOWYARD_STORE.",
            where=where,
        )
    return text


def _plain_url(key: str, text: str, where: str | None) -> str:
    """The URL or path, which no message repeats, since it may hold a secret."""
    parts = urlsplit(text)
    if key == "registry.url" and not parts.scheme.startswith(_REGISTRIES):
        raise UserError(
            "registry.url is none that flowyard knows.",
            hint="Write mlflow+https://HOST or azureml://…; without it, versions are in the store.",
            where=where,
        )
    if parts.password is not None or ("://" in text and parts.query):
        raise UserError(
            f"{key} may have a secret in it, which does not belong into a configuration file.",
            hint="Leave out password and query; the environment has the credentials.",
            where=where,
        )
    return text


def check_key_vault(text: str, where: str | None) -> str:
    """The address of a Key Vault without a slash at its end. Raises UserError: a token is sent there."""
    address = text.rstrip("/")
    if not re.fullmatch(_KEY_VAULT, address):
        raise UserError(
            "connection.key_vault is not the address of a Key Vault.",
            hint="Write https://NAME.vault.azure.net (or the domain of a national cloud).",
            where=where,
        )
    return address


_KEY_VAULT = (
    r"https://[A-Za-z0-9-]+\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)"
    r"|https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
)
"""Anything else could be somebody's who wants the token; a stand-in on this machine may be at any port."""


def _unknown(key: str, where: str | None) -> UserError:
    if key in _OF_PROMPT_FLOW:
        return UserError(f"{key} is a setting of prompt flow that means nothing to flowyard.", where=where)
    hint = did_you_mean(key, KEYS) or f"Keys: {known_names(KEYS)}."
    return UserError(f"There is no setting {key!r}.", hint=hint, where=where)
