"""The names of ``promptflow`` itself."""

from flowyard.engine.promptflow_names import uncovered_names
from flowyard.engine.tool import ToolProvider, log_metric, tool

__all__ = ["ToolProvider", "log_metric", "tool"]
__getattr__ = uncovered_names("promptflow")
