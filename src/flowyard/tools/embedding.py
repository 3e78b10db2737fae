"""Text to a vector."""

from __future__ import annotations

from typing import Any

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureOpenAIConnection, Connection, ServerlessConnection
from flowyard.llm.services import Services
from flowyard.records import ModelRequest
from flowyard.tools.llm import ModelConnection

__all__ = ["embedding", "embeddings"]


async def embedding(
    services: Services,
    connection: ModelConnection,
    input: str,
    deployment_name: str = "",
    model: str = "text-embedding-ada-002",
) -> list[float]:
    """The vector of one text; of a list of texts, that of the first.

    Raises UserError without a deployment on Azure, ProviderError when the model fails.
    """
    chosen = deployment_name if isinstance(connection, AzureOpenAIConnection) else model or deployment_name
    first, *_ = await embeddings(services, connection, chosen, [input] if _needs_list(connection) else input)
    return first


async def embeddings(
    services: Services, connection: Connection, model: str, texts: Any, dimensions: int | None = None
) -> list[list[float]]:
    """The vectors of a text or of several, in order. Raises UserError without a model on Azure, ProviderError."""
    if not model and isinstance(connection, AzureOpenAIConnection):
        raise UserError("The embedding tool needs 'deployment_name' with an Azure OpenAI connection.")
    body = {"input": texts} | ({} if dimensions is None else {"dimensions": dimensions})
    reply = await services.call(connection, ModelRequest("embedding", model, body))
    data = reply.body.get("data")
    vectors = [item.get("embedding") for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    found = [vector for vector in vectors if isinstance(vector, list)]
    if not found or len(found) != len(vectors):
        raise ProviderError("The model's answer has no embedding.")
    return found


def _needs_list(connection: Connection) -> bool:
    return isinstance(connection, ServerlessConnection)
