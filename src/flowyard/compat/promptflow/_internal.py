"""The names of ``promptflow._internal`` that old flows import."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.engine.tool import ToolProvider, log_metric, tool

__all__ = ["ToolProvider", "log_metric", "tool"]
__getattr__ = uncovered_names("promptflow._internal")
