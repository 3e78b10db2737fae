"""The names of ``promptflow.tools.exception``: the errors that tools raise here, by what they are there."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.errors import ProviderError, UserError

__all__ = [
    "AzureContentSafetyInputValueError",
    "AzureContentSafetySystemError",
    "ChatAPIFunctionRoleInvalidFormat",
    "ChatAPIInvalidFunctions",
    "ChatAPIInvalidRole",
    "ChatAPIInvalidTools",
    "ChatAPIToolRoleInvalidFormat",
    "ExceedMaxRetryTimes",
    "FunctionCallNotSupportedInStreamMode",
    "InvalidConnectionType",
    "JinjaTemplateError",
    "LLMError",
    "OpenModelLLMKeyValidationError",
    "OpenModelLLMOnlineEndpointError",
    "OpenModelLLMUserError",
    "SerpAPISystemError",
    "SerpAPIUserError",
    "ToolValidationError",
    "WrappedOpenAIError",
]

WrappedOpenAIError = ExceedMaxRetryTimes = LLMError = ProviderError
SerpAPISystemError = SerpAPIUserError = AzureContentSafetySystemError = OpenModelLLMOnlineEndpointError = ProviderError
ToolValidationError = ChatAPIInvalidRole = ChatAPIInvalidFunctions = ChatAPIInvalidTools = UserError
ChatAPIFunctionRoleInvalidFormat = ChatAPIToolRoleInvalidFormat = FunctionCallNotSupportedInStreamMode = UserError
InvalidConnectionType = AzureContentSafetyInputValueError = UserError
OpenModelLLMKeyValidationError = OpenModelLLMUserError = UserError
JinjaTemplateError = ValueError

__getattr__ = uncovered_names("promptflow.tools.exception")
