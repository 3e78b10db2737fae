"""The names of ``promptflow.tools.aoai``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import PromptTemplate, ToolProvider, tool
from flowyard.llm.connection import AzureOpenAIConnection
from flowyard.llm.parameters import COMPLETION_TOKENS
from flowyard.tools.direct import ask_model

__all__ = ["AzureOpenAI", "chat", "completion"]


class AzureOpenAI(ToolProvider):
    """A connection's model; ``inputs`` are parameters of the API and template variables."""

    def __init__(self, connection: AzureOpenAIConnection) -> None:
        self.connection = connection

    @tool
    def chat(self, prompt: PromptTemplate, deployment_name: str, **inputs: Any) -> Any:
        """The answer to a chat prompt; a generator of texts with ``stream``."""
        inputs["deployment_name"] = deployment_name
        return ask_model(services(), self.connection, "chat", prompt, inputs)

    @tool
    def completion(self, prompt: PromptTemplate, deployment_name: str, **inputs: Any) -> Any:
        """The continuation of a prompt; a generator of texts with ``stream``."""
        inputs.setdefault("max_tokens", COMPLETION_TOKENS)
        return ask_model(
            services(), self.connection, "completion", prompt, {"deployment_name": deployment_name, **inputs}
        )


@tool
def chat(connection: AzureOpenAIConnection, prompt: PromptTemplate, deployment_name: str, **inputs: Any) -> Any:
    """As ``AzureOpenAI.chat``."""
    return AzureOpenAI(connection).chat(prompt, deployment_name, **inputs)


@tool
def completion(connection: AzureOpenAIConnection, prompt: PromptTemplate, deployment_name: str, **inputs: Any) -> Any:
    """As ``AzureOpenAI.completion``."""
    return AzureOpenAI(connection).completion(prompt, deployment_name, **inputs)


__getattr__ = uncovered_names("promptflow.tools.aoai")
