"""The names of ``promptflow.core._errors`` that code catches."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import (
    AccessDeniedError,
    ChatAPIFunctionRoleInvalidFormat,
    ChatAPIInvalidRoleError,
    ChatAPIToolRoleInvalidFormat,
    ConnectionNotFound,
    CoreError,
    ExceedMaxRetryTimes,
    GenerateFlowMetaJsonError,
    InvalidConnectionError,
    InvalidOutputKeyError,
    InvalidSampleError,
    JinjaTemplateError,
    LLMError,
    MissingRequiredInputError,
    MissingRequiredPackage,
    RequiredEnvironmentVariablesNotSetError,
    ToolValidationError,
    UserAuthenticationError,
    WrappedOpenAIError,
)

__all__ = [
    "AccessDeniedError",
    "ChatAPIFunctionRoleInvalidFormat",
    "ChatAPIInvalidRoleError",
    "ChatAPIToolRoleInvalidFormat",
    "ConnectionNotFound",
    "CoreError",
    "ExceedMaxRetryTimes",
    "GenerateFlowMetaJsonError",
    "InvalidConnectionError",
    "InvalidOutputKeyError",
    "InvalidSampleError",
    "JinjaTemplateError",
    "LLMError",
    "MissingRequiredInputError",
    "MissingRequiredPackage",
    "RequiredEnvironmentVariablesNotSetError",
    "ToolValidationError",
    "UserAuthenticationError",
    "WrappedOpenAIError",
]
__getattr__ = uncovered_names("promptflow.core._errors")
