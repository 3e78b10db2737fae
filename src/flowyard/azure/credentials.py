"""Bearer tokens for Azure. They are held in memory only: never in a log, an error, a file or an argument."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from flowyard.azure.errors import AzureDenied, plain_reason
from flowyard.azure.login import LoginSearch
from flowyard.errors import FlowyardError

__all__ = ["TOKEN_VARIABLE", "FixedToken", "IdentityTokens", "NamedTokens", "TokenProvider", "open_tokens"]

TOKEN_VARIABLE = "FLOWYARD_AZURE_TOKEN"  # noqa: S105 - the name of a variable
"""A token that was got elsewhere, for a login that azure-identity does not know. It ends after about an hour."""

_SPARE_S = 300.0
"""A token that ends sooner than this is not used for a new request."""


class TokenProvider(Protocol):
    """Gives tokens for scopes such as ``https://management.azure.com/.default``."""

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """A token that holds for some minutes; ``fresh`` after the last one was refused. Raises AzureDenied."""


class NamedTokens(TokenProvider, Protocol):
    """Tokens of a login that can say what kind it is."""

    @property
    def way(self) -> str:
        """How the login was made, in words; empty before the first token."""


class FixedToken:
    """The same token for everything."""

    way = f"the token in {TOKEN_VARIABLE}"

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, scope: str, *, fresh: bool = False) -> str:  # noqa: ARG002 - there is one
        return self._token


class IdentityTokens:
    """Tokens of a credential of azure-identity, which is made when the first is needed, and kept until they end.

    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        make_credential: Callable[[], Any],
        clock: Callable[[], float] = time.time,
        way: Callable[[], str] = str,
    ) -> None:
        self._make = make_credential
        self._clock = clock
        self._way = way
        self._credential: Any = None
        self._kept: dict[str, tuple[str, float]] = {}

    @property
    def way(self) -> str:
        return self._way()

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
        except FlowyardError:
            raise
        except Exception as error:  # whatever a credential of azure-core raises
            reason = plain_reason(str(error))
            raise AzureDenied(f"There is no login for Azure: {reason}", hint="az login") from None
        return str(got.token), float(got.expires_on)


def open_tokens(environ: Mapping[str, str]) -> NamedTokens:
    """Tokens by the environment: ``FLOWYARD_AZURE_TOKEN``, else the first of ``LOGIN_WAYS`` that leads to one."""
    given = environ.get(TOKEN_VARIABLE)
    if given:
        return FixedToken(given)
    search = LoginSearch(environ)
    return IdentityTokens(lambda: search, way=lambda: search.way.name if search.way else "")
