"""Azure AI Search by its REST API, as documented for version 2023-11-01."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flowyard.errors import ProviderError
from flowyard.llm.connection import TOKEN_AUTH, CognitiveSearchConnection
from flowyard.llm.services import Services
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

__all__ = ["find_documents", "vector_query"]

_OLDEST_VERSION = "2023-11-01"
"""The first version that is not a preview and has vectors; previews before it name them differently."""


async def find_documents(
    services: Services, connection: CognitiveSearchConnection, index: str, body: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The documents that a search finds, best first, each with its ``@search.score``.

    A connection whose API version is older than 2023-11-01 is asked in that version. Raises UserError, ProviderError.
    """
    request = ServiceRequest(
        "Azure AI Search",
        connection,
        f"{address_of(connection, 'api_base')}/indexes/{quote(index, safe='')}/docs/search",
        params={"api-version": max(str(connection.get("api_version") or ""), _OLDEST_VERSION)},
        headers=await _headers(connection),
        body=dict(body),
    )
    answer = await ask_service(services, request)
    found = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ProviderError(f"{request.label} did not answer with a list of documents.")
    return found


def vector_query(vector: list[float], field: str, count: int) -> dict[str, Any]:
    """One of the ``vectorQueries`` of a search."""
    return {"kind": "vector", "vector": vector, "fields": field, "k": count}


async def _headers(connection: CognitiveSearchConnection) -> dict[str, str]:
    if connection.get("auth_mode") == TOKEN_AUTH:
        return {"Authorization": f"Bearer {await asyncio.to_thread(connection.get_token)}"}
    return {"api-key": secret_of(connection)}
