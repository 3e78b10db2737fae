"""The names of ``promptflow.core``."""

from flowyard.engine.promptflow_names import uncovered_names
from flowyard.engine.tool import ToolProvider, log_metric, tool

__all__ = ["ToolProvider", "log_flow_metric", "log_metric", "tool"]
log_flow_metric = log_metric
__getattr__ = uncovered_names("promptflow.core")
