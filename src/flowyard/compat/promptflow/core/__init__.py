"""The names of ``promptflow.core``."""

from flowyard.compat.promptflow.core._prompty import AsyncPrompty, Prompty
from flowyard.engine.code import uncovered_names
from flowyard.engine.tool import ToolProvider, log_metric, tool
from flowyard.llm.model_configuration import AzureOpenAIModelConfiguration, OpenAIModelConfiguration

__all__ = [
    "AsyncPrompty",
    "AzureOpenAIModelConfiguration",
    "OpenAIModelConfiguration",
    "Prompty",
    "ToolProvider",
    "log_flow_metric",
    "log_metric",
    "tool",
]
log_flow_metric = log_metric
__getattr__ = uncovered_names("promptflow.core")
