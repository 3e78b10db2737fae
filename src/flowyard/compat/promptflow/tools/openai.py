"""The names of ``promptflow.tools.openai``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import PromptTemplate, ToolProvider, tool
from flowyard.llm.connection import OpenAIConnection, ServerlessConnection
from flowyard.llm.parameters import COMPLETION_TOKENS
from flowyard.tools.direct import ask_model

__all__ = ["OpenAI", "chat", "completion"]

ModelConnection = OpenAIConnection | ServerlessConnection


class OpenAI(ToolProvider):
    """A connection's model; ``inputs`` are parameters of the API and template variables."""

    def __init__(self, connection: ModelConnection) -> None:
        self.connection = connection

    @tool
    def chat(self, prompt: PromptTemplate, model: str = "", **inputs: Any) -> Any:
        """The answer to a chat prompt; a generator of texts with ``stream``."""
        return ask_model(services(), self.connection, "chat", prompt, {"model": model, **inputs})

    @tool
    def completion(self, prompt: PromptTemplate, model: str = "", **inputs: Any) -> Any:
        """The continuation of a prompt; a generator of texts with ``stream``."""
        inputs.setdefault("max_tokens", COMPLETION_TOKENS)
        return ask_model(services(), self.connection, "completion", prompt, {"model": model, **inputs})


@tool
def chat(connection: ModelConnection, prompt: PromptTemplate, model: str = "", **inputs: Any) -> Any:
    """As ``OpenAI.chat``."""
    return OpenAI(connection).chat(prompt, model, **inputs)


@tool
def completion(connection: ModelConnection, prompt: PromptTemplate, model: str = "", **inputs: Any) -> Any:
    """As ``OpenAI.completion``."""
    return OpenAI(connection).completion(prompt, model, **inputs)


__getattr__ = uncovered_names("promptflow.tools.openai")
