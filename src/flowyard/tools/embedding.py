"""Text to a vector."""

from __future__ import annotations

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection, ServerlessConnection, SimulatedConnection
from flowyard.llm.services import Services
from flowyard.records import ModelRequest

__all__ = ["embedding"]

ModelConnection = AzureOpenAIConnection | OpenAIConnection | ServerlessConnection | SimulatedConnection


async def embedding(
    services: Services,
    connection: ModelConnection,
    input: str,
    deployment_name: str = "",
    model: str = "text-embedding-ada-002",
) -> list[float]:
    """The vector of one text. Raises UserError without a deployment on Azure, ProviderError when the model fails."""
    chosen = deployment_name if isinstance(connection, AzureOpenAIConnection) else model or deployment_name
    if not chosen and isinstance(connection, AzureOpenAIConnection):
        raise UserError("The embedding tool needs 'deployment_name' with an Azure OpenAI connection.")
    reply = await services.call(connection, ModelRequest("embedding", chosen, {"input": input}))
    data = reply.body.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0].get("embedding"), list):
        raise ProviderError("The model's answer has no embedding.")
    vector: list[float] = data[0]["embedding"]
    return vector
