"""The names of ``promptflow.executor._errors`` that code catches."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import (
    FlowEntryInitializationError,
    GetConnectionError,
    InputNotFound,
    InputTypeError,
    InvalidFlowRequest,
    LineExecutionTimeoutError,
    ResolveToolError,
    ScriptExecutionError,
)

__all__ = [
    "FlowEntryInitializationError",
    "GetConnectionError",
    "InputNotFound",
    "InputTypeError",
    "InvalidFlowRequest",
    "LineExecutionTimeoutError",
    "ResolveToolError",
    "ScriptExecutionError",
]
__getattr__ = uncovered_names("promptflow.executor._errors")
