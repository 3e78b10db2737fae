"""One line of input becomes one line of output: a flow is prepared once, then run for each line."""

from flowyard.engine.prepare import prepare
from flowyard.engine.runner import AggregationResult, LineRunner
from flowyard.engine.tool import ToolProvider, log_metric, tool

__all__ = ["AggregationResult", "LineRunner", "ToolProvider", "log_metric", "prepare", "tool"]
