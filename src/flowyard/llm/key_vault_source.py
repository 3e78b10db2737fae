"""Connections that are secrets of an Azure Key Vault, which is only read.

A connection is one secret of its name with the connection as JSON, or one secret for each field, ``<name>--<field>``.
Names of secrets have hyphens where ours have other signs: ``my_openai`` and ``api_key`` are ``my-openai--api-key``.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flowyard.abc import ConnectionSource
from flowyard.azure.errors import AzureDenied
from flowyard.errors import OutsideError, UserError
from flowyard.llm.connection import Connection
from flowyard.llm.connection_base import entra_token
from flowyard.llm.connection_parsing import connection_class, parse_connection
from flowyard.llm.plain_get import Answer, NoAnswer, get_json

__all__ = ["VAULT_TOKEN_VARIABLE", "KeyVaultSource", "environment_token"]

VAULT_TOKEN_VARIABLE = "FLOWYARD_KEY_VAULT_TOKEN"  # noqa: S105 - the name of a variable
"""A token for the vault that was got elsewhere; without it azure-identity is asked for one."""

TokenProvider = Callable[[str], str]
"""Gives a token for a scope."""

_API = "7.4"
_FIELDS = ("api_key", "api_base", "base_url", "api_version", "organization")
_ATTEMPTS = 3
_LONGEST_WAIT_S = 5.0
_SCOPES = {
    ".azure.cn": "https://vault.azure.cn/.default",
    ".usgovcloudapi.net": "https://vault.usgovcloudapi.net/.default",
}


def environment_token(scope: str) -> str:
    """The token that the environment gives, else one of azure-identity. Raises ExtraMissing and what it raises."""
    return os.environ.get(VAULT_TOKEN_VARIABLE) or entra_token(scope, "Reading from Azure Key Vault")


class KeyVaultSource(ConnectionSource):
    """Asks the vault for each name that no nearer source knows, once; ``names`` does not ask.

    ``vault`` is its address without a slash at the end.
    """

    def __init__(self, vault: str, token: TokenProvider = environment_token) -> None:
        self._vault = vault
        self._host = urlsplit(vault).hostname or ""
        self._name = self._host.partition(".")[0]
        self.label = f"key vault {self._name}"
        self._new_token = token
        self._token: str | None = None
        self._found: dict[str, Connection | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """A token is not handed on: who needs one logs in."""
        return {**self.__dict__, "_token": None}

    def find(self, name: str) -> Connection | None:
        """The connection, or None when the vault has no secret of its name.

        Raises UserError when a secret is no connection, and OutsideError for every other answer of the vault.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def names(self) -> list[str]:
        return []

    def _find(self, name: str) -> Connection | None:
        secret = _secret_name(name)
        if secret is None:
            return None
        whole = self._read(secret)
        if whole is not None:
            return parse_connection(name, self._parsed(secret, whole), f"{self.label}: {secret}")
        kind = self._read(f"{secret}--type")
        known = connection_class(kind or "")
        read = {field: self._read(f"{secret}--{_hyphens(field)}") for field in (known.FIELDS if known else _FIELDS)}
        fields = {field: value for field, value in {"type": kind, **read}.items() if value is not None}
        if not fields.keys() & {"type", "api_key", "base_url"}:
            return None
        return parse_connection(name, fields, f"{self.label}: {secret}--*")

    def _parsed(self, secret: str, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            hint = (
                f'Write it as {{"type": "open_ai", "api_key": "…"}}, or one secret for each field: {secret}--api-key.'
            )
            raise UserError(f"The secret {secret} is no connection as a JSON object.", hint=hint, where=self.label)
        return value

    def _read(self, secret: str) -> str | None:
        """The value of a secret; None when the vault says that it has none of that name."""
        answer = self._answer(f"{self._vault}/secrets/{secret}?api-version={_API}")
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == 200 and isinstance(body.get("value"), str):
            return str(body["value"])
        code = _code(body)
        if answer.status == 404 and code == "SecretNotFound":
            return None
        raise self._refused(answer.status, code, secret)

    def _answer(self, address: str) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = get_json(address, {"Authorization": f"Bearer {self._bearer()}"})
            except NoAnswer:
                answer = None
            if answer is not None and answer.status != 429 and answer.status < 500:
                return answer
            if attempt < _ATTEMPTS:
                asked = answer.retry_after_s if answer is not None else None
                time.sleep(min(0.5 * attempt if asked is None else asked, _LONGEST_WAIT_S))
        if answer is None:
            raise OutsideError(f"The Key Vault at {self._host} does not answer.", hint=_CHECK)
        return answer

    def _bearer(self) -> str:
        if self._token is None:
            scope = next((scope for end, scope in _SCOPES.items() if self._host.endswith(end)), _SCOPE)
            try:
                self._token = self._new_token(scope)
            except UserError:
                raise
            except AzureDenied as error:
                hint = f"{error.hint}\nOr a token in {VAULT_TOKEN_VARIABLE}."
                raise AzureDenied(error.message, hint=hint) from None
            except Exception as error:  # the errors of azure-identity; their texts can be pages long
                raise OutsideError(f"There is no login for Azure ({type(error).__name__}).", hint=_LOG_IN) from None
        return self._token

    def _refused(self, status: int, code: str, secret: str) -> OutsideError:
        said = f"{status} {code}".rstrip()
        if status == 401:
            return OutsideError(f"The Key Vault {self._name} does not accept the login ({said}).", hint=_LOG_IN)
        if status == 403 and code == "SecretDisabled":
            hint = f"az keyvault secret set-attributes --vault-name {self._name} --name {secret} --enabled true"
            return OutsideError(f"The secret {secret} of the Key Vault {self._name} is disabled or expired.", hint=hint)
        if status == 403:
            message = f"The Key Vault {self._name} does not let this login read the secret {secret} ({said})."
            return OutsideError(message, hint=_grant(self._name))
        if status == 200:
            said = "what is no secret"
        return OutsideError(f"The Key Vault {self._name} answered {said} for the secret {secret}.", hint=_CHECK)


_SCOPE = "https://vault.azure.net/.default"
_CHECK = (
    "connection.key_vault or FLOWYARD_KEY_VAULT names it. Check that address, the network and the vault's firewall."
)
_LOG_IN = (
    f"Log in: az login (in CI: workload identity or AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET), or set\n"
    f"{VAULT_TOKEN_VARIABLE} to what 'az account get-access-token --resource https://vault.azure.net' gives."
)


def _grant(vault: str) -> str:
    return (
        'It needs the role "Key Vault Secrets User" ("Key Vault Reader" does not read values):\n'
        'az role assignment create --role "Key Vault Secrets User" --assignee WHO '
        f'--scope "$(az keyvault show --name {vault} --query id -o tsv)"\n'
        f"A vault with access policies: az keyvault set-policy --name {vault} --object-id WHO --secret-permissions get"
    )


def _secret_name(name: str) -> str | None:
    """The name of a connection's secret, or None when a vault cannot have it."""
    secret = _hyphens(name)
    return secret if re.fullmatch(r"[0-9A-Za-z-]{1,100}", secret) else None


def _hyphens(name: str) -> str:
    return re.sub(r"[_. ]", "-", name)


def _code(body: Any) -> str:
    """The code of an error answer; the innermost says most."""
    code = ""
    error = body.get("error")
    while isinstance(error, dict):
        found = error.get("code")
        code = found if isinstance(found, str) and re.fullmatch(r"[A-Za-z]{1,60}", found) else code
        error = error.get("innererror")
    return code
