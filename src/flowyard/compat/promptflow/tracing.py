"""The names of ``promptflow.tracing``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.threads import ThreadPoolExecutorWithContext
from flowyard.engine.tool import start_trace, trace

__all__ = ["ThreadPoolExecutorWithContext", "start_trace", "trace"]
__version__ = "1.18.5"  # the release whose names and behaviour are covered
__getattr__ = uncovered_names("promptflow.tracing")
