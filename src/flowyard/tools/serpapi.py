"""Web search through SerpAPI."""

from __future__ import annotations

from typing import Any

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import SerpConnection
from flowyard.llm.services import Services
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

__all__ = ["search"]

_ADDRESS = "https://serpapi.com"


async def search(
    services: Services,
    connection: SerpConnection,
    query: str,
    location: str | None = None,
    safe: str = "off",
    num: int = 10,
    engine: str = "google",
) -> dict[str, Any]:
    """The search engine's answer as SerpAPI gives it.

    ``engine`` is ``google`` or ``bing``; ``safe`` is ``active`` or ``off``; a ``num`` of 0 leaves the count to the
    engine. Raises UserError, ProviderError.
    """
    params = {"q": query, "engine": engine, "api_key": secret_of(connection)}
    is_google = engine.lower() == "google"
    if location:
        params["location"] = location
    if safe == "active":
        params |= {"safe": "Active"} if is_google else {"safeSearch": "Strict"}
    if _whole(num) > 0:
        params["num" if is_google else "count"] = str(_whole(num))
    base = address_of(connection, "api_base") if connection.get("api_base") else _ADDRESS
    answer = await ask_service(services, ServiceRequest("SerpAPI", connection, f"{base}/search", "GET", params))
    if not isinstance(answer, dict):
        raise ProviderError(f"SerpAPI (connection {connection.name!r}) did not answer with a JSON object.")
    return answer


def _whole(num: Any) -> int:
    try:
        return int(num)
    except (TypeError, ValueError):
        raise UserError(f"The input 'num' of a search must be a whole number, not {num!r}.") from None
