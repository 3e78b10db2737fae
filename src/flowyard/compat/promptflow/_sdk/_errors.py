"""The names of ``promptflow._sdk._errors`` that code catches."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import (
    BulkRunException,
    ConnectionClassNotFoundError,
    ConnectionNameNotSetError,
    ConnectionNotFoundError,
    DecryptConnectionError,
    FlowOperationError,
    InvalidFlowError,
    InvalidRunError,
    InvalidRunStatusError,
    MissingAzurePackage,
    RunExistsError,
    RunNotFoundError,
    RunOperationError,
    RunOperationParameterError,
    SDKError,
    SDKInternalError,
    StoreConnectionEncryptionKeyError,
    UnexpectedAttributeError,
    UserAuthenticationError,
)

__all__ = [
    "BulkRunException",
    "ConnectionClassNotFoundError",
    "ConnectionNameNotSetError",
    "ConnectionNotFoundError",
    "DecryptConnectionError",
    "FlowOperationError",
    "InvalidFlowError",
    "InvalidRunError",
    "InvalidRunStatusError",
    "MissingAzurePackage",
    "RunExistsError",
    "RunNotFoundError",
    "RunOperationError",
    "RunOperationParameterError",
    "SDKError",
    "SDKInternalError",
    "StoreConnectionEncryptionKeyError",
    "UnexpectedAttributeError",
    "UserAuthenticationError",
]
__getattr__ = uncovered_names("promptflow._sdk._errors")
