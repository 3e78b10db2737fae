"""The names of ``promptflow.tools.azure_content_safety``."""

from typing import Any

from flowyard._util.aio import run_blocking
from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import ToolProvider, tool
from flowyard.llm.connection import AzureContentSafetyConnection
from flowyard.tools import content_safety as _tools

__all__ = ["AzureContentSafety", "analyze_text"]


class AzureContentSafety(ToolProvider):
    """One connection to Azure AI Content Safety."""

    def __init__(self, connection: AzureContentSafetyConnection) -> None:
        self.connection = connection

    @tool
    def analyze_text(self, text: str, **sensitivities: str) -> Any:
        """Whether a text is acceptable, by category."""
        return run_blocking(_tools.analyze_text(services(), self.connection, text, **sensitivities))


@tool
def analyze_text(connection: AzureContentSafetyConnection, text: str, **sensitivities: str) -> Any:
    """As ``AzureContentSafety.analyze_text``."""
    return AzureContentSafety(connection).analyze_text(text, **sensitivities)


__getattr__ = uncovered_names("promptflow.tools.azure_content_safety")
