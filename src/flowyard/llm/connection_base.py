"""What all connections share: fields, secrets that stay hidden, and copies with some fields replaced."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from flowyard._util.redact import HIDDEN, redact
from flowyard.errors import ExtraMissing

__all__ = ["HIDDEN", "TOKEN_AUTH", "Connection", "TokenConnection", "entra_token"]

TOKEN_AUTH = "meid_token"  # noqa: S105 - the name of a mode
"""The ``auth_mode`` that asks for a Microsoft Entra token instead of a key."""


class Connection:
    """Base of all connections: ``name``, ``type``, plain ``configs`` and ``secrets``."""

    TYPE: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[str, ...]] = ()
    SECRETS: ClassVar[tuple[str, ...]] = ("api_key",)
    REQUIRED: ClassVar[tuple[str, ...]] = ("api_key",)
    ALIASES: ClassVar[Mapping[str, str]] = {}
    MODEL: ClassVar[bool] = False

    name: str | None
    configs: dict[str, Any]
    secrets: dict[str, Any]

    def __init__(self, name: str | None, configs: Mapping[str, Any], secrets: Mapping[str, Any]) -> None:
        self.__dict__.update(name=name, configs=dict(configs), secrets=dict(secrets))

    @property
    def type(self) -> str:
        """The kind as YAML files write it, for example ``azure_open_ai``."""
        return self.TYPE

    @property
    def is_model(self) -> bool:
        """Whether a language model answers behind this connection."""
        return self.MODEL

    def missing_fields(self) -> list[str]:
        """The required fields that have no value."""
        needed = [field for field in self.REQUIRED if not (field == "api_key" and self._works_without_key())]
        return [field for field in needed if not self.get(field)]

    def _works_without_key(self) -> bool:
        return self.configs.get("auth_mode") == TOKEN_AUTH

    def secret_values(self) -> list[str]:
        """Every secret text, longest first, for redaction."""
        values = {str(value) for value in self.secrets.values() if value not in (None, "", HIDDEN)}
        return sorted(values, key=lambda value: (-len(value), value))

    def redact(self, text: str) -> str:
        """The text with every secret of this connection hidden."""
        return redact(text, self.secret_values())

    def with_fields(self, fields: Mapping[str, Any]) -> Self:
        """A copy with some fields replaced; a field that is new becomes a config."""
        changed = copy.copy(self)
        secrets = {key: value for key, value in fields.items() if key in self.secrets}
        configs = {key: value for key, value in fields.items() if key not in self.secrets}
        changed.__dict__.update(configs={**self.configs, **configs}, secrets={**self.secrets, **secrets})
        return changed

    def keys(self) -> list[str]:
        return [*self.configs, *self.secrets]

    def get(self, key: str, default: Any = None) -> Any:
        return self.secrets.get(key, self.configs.get(key, default))

    def __contains__(self, key: object) -> bool:
        return key in self.configs or key in self.secrets

    def __getitem__(self, key: str) -> Any:
        if key in self.secrets:
            return self.secrets[key]
        if key in self.configs:
            return self.configs[key]
        raise KeyError(f"Connection {self.name!r} has no field {key!r}")

    def __getattr__(self, key: str) -> Any:
        # Copying and unpickling ask before the fields exist.
        if not key.startswith("__") and "configs" in self.__dict__ and key in self:
            return self[key]
        raise AttributeError(f"{type(self).__name__} {self.__dict__.get('name')!r} has no field {key!r}")

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.secrets:
            self.secrets[key] = value
        elif key in self.configs:
            self.configs[key] = value
        else:
            super().__setattr__(key, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = {"name": self.name, **self.configs, **{key: HIDDEN for key, value in self.secrets.items() if value}}
        text = ", ".join(f"{key}={value!r}" for key, value in shown.items() if value is not None)
        return self.redact(f"{type(self).__name__}({text})")


class TokenConnection(Connection):
    """An Azure service that also accepts a Microsoft Entra token instead of a key."""

    TOKEN_SCOPE: ClassVar[str] = "https://cognitiveservices.azure.com/.default"  # noqa: S105 - an address

    def get_token(self) -> str:
        """A fresh Entra token. Raises ExtraMissing without the ``azure-identity`` package. May block."""
        needed_by = f"Connection {self.name!r} has auth_mode {TOKEN_AUTH!r}, which"
        return entra_token(self.TOKEN_SCOPE, needed_by)


def entra_token(scope: str, needed_by: str) -> str:
    """A fresh token of the login that there is, as ``flowyard azure doctor`` shows it. May block.

    Raises AzureDenied without a login, ExtraMissing without azure-identity; ``needed_by`` begins its sentence.
    """
    from flowyard.azure.login import LoginSearch  # noqa: PLC0415 - HTTP and TLS; most connections have a key

    try:
        return str(LoginSearch(os.environ).get_token(scope).token)
    except ExtraMissing:
        message = f"{needed_by} needs the package azure-identity."
        raise ExtraMissing(message, hint="pip install azure-identity") from None
