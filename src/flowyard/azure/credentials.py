"""Bearer tokens for Azure. They are held in memory only: never in a log, an error, a file or an argument."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flowyard.azure.errors import AzureDenied, plain_reason
from flowyard.errors import ExtraMissing

__all__ = ["TOKEN_VARIABLE", "FixedToken", "IdentityTokens", "TokenProvider", "open_tokens"]

TOKEN_VARIABLE = "FLOWYARD_AZURE_TOKEN"  # noqa: S105 - the name of a variable
"""A token that was got elsewhere, for a login that azure-identity does not know. It ends after about an hour."""

_SPARE_S = 300.0
"""A token that ends sooner than this is not used for a new request."""

_LOG_IN = (
    "Log in with `az login`; in CI use workload identity federation (AZURE_CLIENT_ID, AZURE_TENANT_ID, "
    "AZURE_FEDERATED_TOKEN_FILE) or a service principal (AZURE_CLIENT_SECRET)."
)


class TokenProvider(Protocol):
    """Gives tokens for scopes such as ``https://management.azure.com/.default``."""

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """A token that holds for some minutes; ``fresh`` after the last one was refused. Raises AzureDenied."""


class FixedToken:
    """The same token for everything."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, scope: str, *, fresh: bool = False) -> str:  # noqa: ARG002 - there is one
        return self._token


class IdentityTokens:
    """Tokens of a credential of azure-identity, which is made when the first is needed, and kept until they end.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, make_credential: Callable[[], Any], clock: Callable[[], float] = time.time) -> None:
        self._make = make_credential
        self._clock = clock
        self._credential: Any = None
        self._kept: dict[str, tuple[str, float]] = {}

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        kept = self._kept.get(scope)
        if kept is None or fresh or kept[1] - self._clock() < _SPARE_S:
            kept = self._kept[scope] = await asyncio.to_thread(self._get, scope)
        return kept[0]

    def _get(self, scope: str) -> tuple[str, float]:
        if self._credential is None:
            self._credential = self._make()
        try:
            got = self._credential.get_token(scope)
        except Exception as error:  # whatever a chain of logins raises; its classes are azure-core's
            reason = plain_reason(str(error))  # of a chain, why each of its logins has none
            raise AzureDenied(f"There is no login for Azure: {reason}", hint=_LOG_IN) from None
        return str(got.token), float(got.expires_on)


def open_tokens(environ: Mapping[str, str]) -> TokenProvider:
    """Tokens by the environment: ``FLOWYARD_AZURE_TOKEN``, else what ``DefaultAzureCredential`` tries.

    That is, in this order: a service principal by ``AZURE_*`` variables, workload identity federation, a managed
    identity, and the logins of ``az``, ``pwsh`` and ``azd``.
    """
    given = environ.get(TOKEN_VARIABLE)
    if given:
        return FixedToken(given)
    own_authority = bool(environ.get("AZURE_AUTHORITY_HOST"))
    return IdentityTokens(lambda: _default_credential(own_authority=own_authority))


def _default_credential(*, own_authority: bool) -> Any:
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy
    except ImportError:
        raise ExtraMissing("Azure takes azure-identity.", hint="pip install 'flowyard[azure]'") from None
    # An authority that was named is not looked up at the public cloud's, which need not know or reach it.
    return DefaultAzureCredential(disable_instance_discovery=own_authority)
