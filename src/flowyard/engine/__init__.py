"""One line of input becomes one line of output: a flow is prepared once, then run for each line."""

from flowyard.engine.prepare import prepare
from flowyard.engine.runner import LineRunner
from flowyard.engine.tool import ToolProvider, log_metric, tool
from flowyard.records import AggregationResult

__all__ = ["AggregationResult", "LineRunner", "ToolProvider", "log_metric", "prepare", "tool"]
