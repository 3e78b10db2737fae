"""The names of ``promptflow.core``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.flow import AsyncFlow
from flowyard.client.flow import StreamingFlow as Flow
from flowyard.client.prompty import AsyncPrompty, Prompty
from flowyard.engine.tool import ToolProvider, log_metric, tool
from flowyard.llm.model_configuration import AzureOpenAIModelConfiguration, ModelConfiguration, OpenAIModelConfiguration

__all__ = [
    "AsyncFlow",
    "AsyncPrompty",
    "AzureOpenAIModelConfiguration",
    "Flow",
    "ModelConfiguration",
    "OpenAIModelConfiguration",
    "Prompty",
    "ToolProvider",
    "log_flow_metric",
    "log_metric",
    "tool",
]
log_flow_metric = log_metric
__version__ = "1.18.5"  # the release whose names and behaviour are covered
__getattr__ = uncovered_names("promptflow.core")
