"""The names of ``promptflow._sdk.entities``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.context import FlowContext
from flowyard.client.run_entity import Run
from flowyard.llm.connection import (
    AzureContentSafetyConnection,
    AzureOpenAIConnection,
    CognitiveSearchConnection,
    CustomConnection,
    CustomStrongTypeConnection,
    FormRecognizerConnection,
    OpenAIConnection,
    QdrantConnection,
    SerpConnection,
    ServerlessConnection,
    WeaviateConnection,
)

__all__ = [
    "AzureContentSafetyConnection",
    "AzureOpenAIConnection",
    "CognitiveSearchConnection",
    "CustomConnection",
    "CustomStrongTypeConnection",
    "FlowContext",
    "FormRecognizerConnection",
    "OpenAIConnection",
    "QdrantConnection",
    "Run",
    "SerpConnection",
    "ServerlessConnection",
    "WeaviateConnection",
]
__getattr__ = uncovered_names("promptflow._sdk.entities")
