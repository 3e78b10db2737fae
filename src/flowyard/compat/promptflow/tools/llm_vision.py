"""The names of ``promptflow.tools.llm_vision``."""

from typing import Any

from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import PromptTemplate, tool
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection
from flowyard.tools.direct import ask_vision_model

__all__ = ["llm_vision"]


@tool
def llm_vision(connection: AzureOpenAIConnection | OpenAIConnection, prompt: PromptTemplate, **inputs: Any) -> Any:
    """The answer to a chat prompt in which ``![image]({{photo}})`` shows a picture."""
    return ask_vision_model(services(), connection, prompt, inputs)


__getattr__ = uncovered_names("promptflow.tools.llm_vision")
