"""The names of ``promptflow.tools.aoai_gpt4v``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import PromptTemplate, ToolProvider, tool
from flowyard.llm.connection import AzureOpenAIConnection
from flowyard.tools.direct import ask_vision_model

__all__ = ["AzureOpenAI"]


class AzureOpenAI(ToolProvider):
    """A connection's model that sees pictures."""

    def __init__(self, connection: AzureOpenAIConnection) -> None:
        self.connection = connection

    @tool
    def chat(self, prompt: PromptTemplate, deployment_name: str, **inputs: Any) -> Any:
        """The answer to a chat prompt in which ``![image]({{photo}})`` shows a picture."""
        return ask_vision_model(services(), self.connection, prompt, {"deployment_name": deployment_name, **inputs})


__getattr__ = uncovered_names("promptflow.tools.aoai_gpt4v")
