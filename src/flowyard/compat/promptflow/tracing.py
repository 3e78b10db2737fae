"""The names of ``promptflow.tracing``."""

from flowyard.engine.promptflow_names import uncovered_names
from flowyard.engine.tool import start_trace, trace

__all__ = ["start_trace", "trace"]
__getattr__ = uncovered_names("promptflow.tracing")
