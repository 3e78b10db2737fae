"""The names of ``promptflow.tools.embedding``."""

from typing import Any

from flowyard._util.aio import run_blocking
from flowyard._util.promptflow_names import uncovered_names
from flowyard.compat.promptflow._ambient import services
from flowyard.engine.tool import tool
from flowyard.tools import embedding as _tools

__all__ = ["embedding"]


@tool
def embedding(connection: Any, input: str, deployment_name: str = "", model: str = "text-embedding-ada-002") -> Any:
    """The vector of one text."""
    return run_blocking(_tools.embedding(services(), connection, input, deployment_name, model))


__getattr__ = uncovered_names("promptflow.tools.embedding")
