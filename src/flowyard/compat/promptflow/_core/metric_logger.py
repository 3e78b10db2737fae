"""The names of ``promptflow._core.metric_logger``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.engine.tool import log_metric

__all__ = ["log_metric"]
__getattr__ = uncovered_names("promptflow._core.metric_logger")
