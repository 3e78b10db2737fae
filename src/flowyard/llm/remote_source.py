"""Connections that a service answers for, by prompt flow's HTTP protocol: ``GET <endpoint>/connections/<name>``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from flowyard.abc import ConnectionSource
from flowyard.errors import OutsideError, UserError
from flowyard.llm.connection import Connection
from flowyard.llm.connection_parsing import parse_connection

__all__ = ["ENDPOINT_VARIABLE", "RemoteSource"]

ENDPOINT_VARIABLE = "PF_HTTP_CONNECTION_PROVIDER_ENDPOINT"
"""The variable with the endpoint's address."""

_TIMEOUT_S = 10.0


class RemoteSource(ConnectionSource):
    """Asks an endpoint for each name that no other source knows; ``names`` does not ask."""

    label = "HTTP provider"

    def __init__(self, endpoint: str) -> None:
        if urlsplit(endpoint).scheme not in ("http", "https"):
            raise UserError(f"{ENDPOINT_VARIABLE} is not an http:// or https:// address.")
        self._endpoint = endpoint.rstrip("/")

    def find(self, name: str) -> Connection | None:
        """The connection, or None when the endpoint answers 404. Raises OutsideError when it does not answer."""
        address = f"{self._endpoint}/connections/{quote(name, safe='')}"
        answer = self._get(address)
        return None if answer is None else parse_connection(name, answer, self.label)

    def names(self) -> list[str]:
        return []

    def _get(self, address: str) -> Mapping[str, Any] | None:
        # Imported here because it brings TLS and e-mail with it, and hardly anybody has such an endpoint.
        from urllib.error import HTTPError, URLError  # noqa: PLC0415
        from urllib.request import HTTPRedirectHandler, Request, build_opener  # noqa: PLC0415

        class NoRedirect(HTTPRedirectHandler):
            """A redirect could lead secrets' requests elsewhere: it is an answer like any other error."""

            def redirect_request(self, *_: Any, **__: Any) -> None:
                return None

        request = Request(address, headers={"Accept": "application/json"})  # noqa: S310 - the scheme was checked
        try:
            with build_opener(NoRedirect()).open(request, timeout=_TIMEOUT_S) as response:
                answer = json.loads(response.read())
        except HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise self._failed(f"answered {error.code}") from None
        except (URLError, TimeoutError, OSError):
            raise self._failed("does not answer") from None
        except ValueError:
            raise self._failed("did not answer with JSON") from None
        if not isinstance(answer, dict):
            raise self._failed("did not answer with a JSON object")
        return answer

    def _failed(self, what: str) -> OutsideError:
        return OutsideError(
            f"The connection provider at {urlsplit(self._endpoint).netloc} {what}.",
            hint=f"{ENDPOINT_VARIABLE} names it; unset it to do without.",
        )
