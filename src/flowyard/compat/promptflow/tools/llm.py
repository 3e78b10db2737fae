"""The names of ``promptflow.tools.llm``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import PromptTemplate, tool
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection, ServerlessConnection
from flowyard.tools.direct import ask_model

__all__ = ["llm"]


@tool
def llm(
    connection: AzureOpenAIConnection | OpenAIConnection | ServerlessConnection,
    prompt: PromptTemplate,
    api: str = "chat",
    **inputs: Any,
) -> Any:
    """What an LLM node gives for the same inputs."""
    return ask_model(services(), connection, api, prompt, inputs)


__getattr__ = uncovered_names("promptflow.tools.llm")
