"""The names of ``promptflow.exceptions``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import (
    ErrorCategory,
    ErrorTarget,
    PromptflowException,
    SystemErrorException,
    UserErrorException,
    ValidationException,
)

__all__ = [
    "ErrorCategory",
    "ErrorTarget",
    "PromptflowException",
    "SystemErrorException",
    "UserErrorException",
    "ValidationException",
]
__getattr__ = uncovered_names("promptflow.exceptions")
