"""Prompt flow's exceptions, so that ``except`` in user code catches what it was written for.

    PromptflowException
    ├─ UserErrorException          the user's file, data, code or model call is wrong
    │  ├─ ValidationException      what was asked for cannot be
    │  ├─ SDKError                 what the client refuses
    │  └─ CoreError                what a prompty or a connection refuses
    └─ SystemErrorException        something outside failed

User code also raises these itself. ``translate`` says which of our errors becomes which of them; classes that nothing
of ours becomes are here because code names them in ``except``.
"""

from __future__ import annotations

import string
from enum import StrEnum
from typing import Any

__all__ = [
    "AccessDeniedError",
    "BadRequest",
    "BulkRunException",
    "ChatAPIFunctionRoleInvalidFormat",
    "ChatAPIInvalidRoleError",
    "ChatAPIToolRoleInvalidFormat",
    "ConnectionClassNotFoundError",
    "ConnectionNameNotSetError",
    "ConnectionNotFound",
    "ConnectionNotFoundError",
    "CoreError",
    "DataNotFoundError",
    "DecryptConnectionError",
    "ErrorCategory",
    "ErrorTarget",
    "EvaluationArgumentError",
    "ExceedMaxRetryTimes",
    "FlowEntryInitializationError",
    "FlowOperationError",
    "GenerateFlowMetaJsonError",
    "GetConnectionError",
    "InputMappingError",
    "InputNotFound",
    "InputTypeError",
    "InvalidConnectionError",
    "InvalidFlowError",
    "InvalidFlowRequest",
    "InvalidOutputKeyError",
    "InvalidRunError",
    "InvalidRunStatusError",
    "InvalidSampleError",
    "JinjaTemplateError",
    "LLMError",
    "LineExecutionTimeoutError",
    "MissingAzurePackage",
    "MissingRequiredFlowInput",
    "MissingRequiredInputError",
    "MissingRequiredPackage",
    "NotSupported",
    "PackageToolNotFoundError",
    "PromptflowException",
    "RequiredEnvironmentVariablesNotSetError",
    "ResolveToolError",
    "RunArgumentError",
    "RunExistsError",
    "RunNotFoundError",
    "RunOperationError",
    "RunOperationParameterError",
    "SDKError",
    "SDKInternalError",
    "ScriptExecutionError",
    "StoreConnectionEncryptionKeyError",
    "SystemErrorException",
    "ToolCanceledError",
    "ToolExecutionError",
    "ToolLoadError",
    "ToolValidationError",
    "UnexpectedAttributeError",
    "UserAuthenticationError",
    "UserErrorException",
    "ValidationException",
    "WrappedOpenAIError",
]


class ErrorCategory(StrEnum):
    """Whose fault an error is."""

    USER_ERROR = "UserError"
    SYSTEM_ERROR = "SystemError"
    UNKNOWN = "Unknown"


class ErrorTarget(StrEnum):
    """The part that an error is about."""

    EXECUTOR = "Executor"
    BATCH = "Batch"
    CORE = "Core"
    FLOW_EXECUTOR = "FlowExecutor"
    NODE_EXECUTOR = "NodeExecutor"
    TOOL = "Tool"
    AZURE_RUN_STORAGE = "AzureRunStorage"
    RUNTIME = "Runtime"
    UNKNOWN = "Unknown"
    RUN_TRACKER = "RunTracker"
    RUN_STORAGE = "RunStorage"
    CONTROL_PLANE_SDK = "ControlPlaneSDK"
    SERVING_APP = "ServingApp"
    FLOW_INVOKER = "FlowInvoker"
    FUNCTION_PATH = "FunctionPath"


class PromptflowException(Exception):
    """Base of all; ``message`` or ``message_format`` with its parameters as keywords. ``hint`` is the next step."""

    category = ErrorCategory.UNKNOWN
    hint: str | None = None

    def __init__(
        self,
        message: str = "",
        message_format: str = "",
        target: ErrorTarget = ErrorTarget.UNKNOWN,
        module: str | None = None,
        **parameters: Any,
    ) -> None:
        self.message_format = message_format
        named = {name for _, name, _, _ in string.Formatter().parse(message_format) if name}
        self.message_parameters = {name: str(parameters.get(name)) for name in sorted(named)}
        self.message = message or message_format.format(**self.message_parameters)
        self.target = target
        self.module = module
        self.inner_exception = parameters.get("error")
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    @property
    def error_codes(self) -> list[str]:
        """From the kind of error down to this class."""
        own = [kind.__name__ for kind in reversed(type(self).__mro__) if issubclass(kind, PromptflowException)]
        inner = [name for name in own if name not in _ROOTS]
        own_kind = ErrorCategory.SYSTEM_ERROR if self.category is ErrorCategory.UNKNOWN else self.category
        return [own_kind.value, *inner]

    @property
    def reference_code(self) -> str:
        """The part, and its module where that is known."""
        return f"{self.target.value}/{self.module}" if self.module else str(self.target.value)


class UserErrorException(PromptflowException):
    """The user's file, data, code or model call is wrong."""

    category = ErrorCategory.USER_ERROR


class SystemErrorException(PromptflowException):
    """Something outside failed."""

    category = ErrorCategory.SYSTEM_ERROR


_ROOTS = ("PromptflowException", "UserErrorException", "SystemErrorException")


class ValidationException(UserErrorException):
    """What was asked for cannot be."""


class SDKError(UserErrorException):
    """The client refuses."""


class SDKInternalError(SystemErrorException):
    """The client failed."""


class CoreError(UserErrorException):
    """A prompty or a connection refuses."""


class RunNotFoundError(SDKError):
    """There is no run of that name."""


class RunExistsError(SDKError):
    """A run of that name exists."""


class InvalidRunError(SDKError):
    """The run's description cannot be used."""


class InvalidRunStatusError(SDKError):
    """The run failed or was canceled."""


class RunOperationError(SDKError):
    """Something cannot be done with a run."""


class RunOperationParameterError(SDKError):
    """Something cannot be done with a run in this way."""


class RunArgumentError(InvalidRunError, ValueError):
    """Arguments of a run are missing or exclude each other; prompt flow raises a plain ValueError."""


class EvaluationArgumentError(UserErrorException, ValueError):
    """What is to be evaluated, or how, cannot be; prompt flow raises a plain ValueError."""


class DataNotFoundError(UserErrorException, FileNotFoundError):
    """There is no such data; prompt flow raises a plain FileNotFoundError."""


class BulkRunException(SDKError):
    """Lines of a run failed."""


class InvalidFlowError(SDKError, ValidationException):
    """The flow's file, or what is changed in it, cannot be used."""


class FlowOperationError(SDKError):
    """Something cannot be done with a flow."""


class ConnectionNotFoundError(SDKError):
    """No source knows the connection."""


class ConnectionNameNotSetError(SDKError):
    """The connection has no name."""


class ConnectionClassNotFoundError(SDKError):
    """The connection's class cannot be imported."""


class DecryptConnectionError(SDKError):
    """A stored secret cannot be read."""


class StoreConnectionEncryptionKeyError(SDKError):
    """The key of the connection store cannot be kept."""


class UserAuthenticationError(SDKError):
    """The user is not signed in."""


class MissingAzurePackage(SDKError):
    """A package for Azure is not installed."""


class UnexpectedAttributeError(SDKError):
    """Something has no such attribute."""


class InvalidFlowRequest(ValidationException):
    """The flow cannot be run like this."""


class InputNotFound(InvalidFlowRequest):
    """A required input is missing."""


class InputTypeError(InvalidFlowRequest):
    """An input is not of its type."""


class GetConnectionError(InvalidFlowRequest):
    """A node's connection cannot be found."""


class InputMappingError(ValidationException):
    """A column mapping cannot be resolved."""


class ResolveToolError(UserErrorException):
    """A node cannot be made ready."""


class ToolLoadError(UserErrorException):
    """A tool's file cannot be loaded."""


class ToolValidationError(UserErrorException):
    """A tool was called in a way it does not allow."""


class PackageToolNotFoundError(ValidationException):
    """No installed package has the tool."""


class NotSupported(UserErrorException):
    """That is not supported."""


class ToolExecutionError(UserErrorException):
    """A tool raised."""


class ToolCanceledError(UserErrorException):
    """A tool was canceled."""


class ScriptExecutionError(UserErrorException):
    """A flow that is a function or class raised."""


class FlowEntryInitializationError(UserErrorException):
    """A flow that is a class could not be made."""


class LineExecutionTimeoutError(UserErrorException):
    """A line took too long."""


class BadRequest(UserErrorException):
    """A call of a flow is wrong."""


class MissingRequiredFlowInput(BadRequest):
    """A call of a flow lacks a required input."""


class ConnectionNotFound(CoreError):
    """No source knows the connection of a prompty."""


class InvalidConnectionError(CoreError):
    """A model configuration names a connection in a way that cannot be."""


class MissingRequiredInputError(CoreError):
    """A call of a prompty lacks a required input."""


class InvalidOutputKeyError(CoreError):
    """The model's answer lacks a declared output."""


class InvalidSampleError(CoreError):
    """The sample of a prompty cannot be read."""


class JinjaTemplateError(CoreError):
    """A template cannot be rendered."""


class ChatAPIInvalidRoleError(CoreError):
    """A chat prompt has no role, or an unknown one."""


class ChatAPIFunctionRoleInvalidFormat(CoreError):
    """A function message lacks its name or content."""


class ChatAPIToolRoleInvalidFormat(CoreError):
    """A tool message lacks its call's id or content."""


class GenerateFlowMetaJsonError(CoreError):
    """The signature of a function or class cannot be used for a flow."""


class RequiredEnvironmentVariablesNotSetError(CoreError):
    """Environment variables that a connection is made from are not set."""


class MissingRequiredPackage(UserErrorException):
    """An optional package is not installed."""


class AccessDeniedError(UserErrorException):
    """A service denied access."""


class LLMError(UserErrorException):
    """A call of a model failed."""


class WrappedOpenAIError(LLMError):
    """A model's endpoint refused."""


class ExceedMaxRetryTimes(WrappedOpenAIError):
    """A model's endpoint refused every time."""
