"""The names of ``promptflow.executor._result``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.answer import InvokeResult as LineResult

__all__ = ["LineResult"]
__getattr__ = uncovered_names("promptflow.executor._result")
