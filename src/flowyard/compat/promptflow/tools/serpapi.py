"""The names of ``promptflow.tools.serpapi``."""

from typing import Any

from flowyard._util.aio import run_blocking
from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import ToolProvider, tool
from flowyard.llm.connection import SerpConnection
from flowyard.tools import serpapi as _tools

__all__ = ["SerpAPI", "search"]


class SerpAPI(ToolProvider):
    """Web search through one connection."""

    def __init__(self, connection: SerpConnection) -> None:
        self.connection = connection

    @tool
    def search(
        self, query: str, location: str | None = None, safe: str = "off", num: int = 10, engine: str = "google"
    ) -> Any:
        """The search engine's answer."""
        return run_blocking(_tools.search(services(), self.connection, query, location, safe, num, engine))


@tool
def search(connection: SerpConnection, query: str, **inputs: Any) -> Any:
    """As ``SerpAPI.search``."""
    return SerpAPI(connection).search(query, **inputs)


__getattr__ = uncovered_names("promptflow.tools.serpapi")
