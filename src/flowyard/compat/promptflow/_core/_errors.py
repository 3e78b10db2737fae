"""The names of ``promptflow._core._errors`` that code catches."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import (
    NotSupported,
    PackageToolNotFoundError,
    ToolCanceledError,
    ToolExecutionError,
    ToolLoadError,
)

__all__ = ["NotSupported", "PackageToolNotFoundError", "ToolCanceledError", "ToolExecutionError", "ToolLoadError"]
__getattr__ = uncovered_names("promptflow._core._errors")
