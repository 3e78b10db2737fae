"""Connections that a service answers for, by prompt flow's HTTP protocol: ``GET <endpoint>/connections/<name>``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from flowyard.abc import ConnectionSource
from flowyard.errors import OutsideError, UserError
from flowyard.llm.connection import Connection
from flowyard.llm.connection_parsing import parse_connection
from flowyard.llm.plain_get import NoAnswer, get_json

__all__ = ["ENDPOINT_VARIABLE", "RemoteSource"]

ENDPOINT_VARIABLE = "PF_HTTP_CONNECTION_PROVIDER_ENDPOINT"
"""The variable with the endpoint's address."""


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
        try:
            answer = get_json(address)
        except NoAnswer:
            raise self._failed("does not answer") from None
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._failed(f"answered {answer.status}")
        if not isinstance(answer.body, dict):
            raise self._failed("did not answer with a JSON object")
        return answer.body

    def _failed(self, what: str) -> OutsideError:
        return OutsideError(
            f"The connection provider at {urlsplit(self._endpoint).netloc} {what}.",
            hint=f"{ENDPOINT_VARIABLE} names it; unset it to do without.",
        )
